/** Runs once after all tests: ends what the start began. */
export default async function stopServersOnce() {
  await globalThis.__colloquyServers?.stop();
}
