/** Runs once after all tests: stops the servers. */
export default async function stopServersOnce() {
  await globalThis.__colloquyServers?.stop();
}
