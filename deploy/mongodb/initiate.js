// Creates the replica set if it is missing and waits for its primary. Can be run again.
const members = ['mongodb-1:27017', 'mongodb-2:27017', 'mongodb-3:27017'].map((host, _id) => ({ _id, host }));
try {
  rs.status();
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  rs.initiate({ _id: 'colloquy', members });
}
for (let waited = 0; !rs.status().members.some((member) => member.stateStr === 'PRIMARY'); waited += 1) {
  if (waited === 60) throw new Error('the replica set has no primary after 60 s');
  sleep(1000);
}
