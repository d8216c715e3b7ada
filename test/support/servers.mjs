/**
 * Runs once before all tests. Builds Colloquy, and starts Temporal and the database for the tests.
 * If an environment variable has the address of one of these servers, that server is used instead.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBuilt } from '../../servers/bootstrap.mjs';

export default async function startServersOnce() {
  // If the build fails, tests that do not need it still run. `npm test` builds before it starts
  // Jest, and stops if that build fails.
  await ensureBuilt({ quiet: true }).catch((error) => console.error(`the build failed: ${error.message}`));
  const { startServers } = await import('../../dist/servers/index.js');
  const dataDir = mkdtempSync(join(tmpdir(), 'colloquy-test-'));
  const servers = await startServers({
    dataDir,
    toolsDir: resolve('.colloquy'),
    searchPath: process.env.PATH,
    temporalPort: 0,
    mongodbPort: 0,
    headless: true,
    temporalAddress: process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS,
    mongodbUri: process.env.COLLOQUY_TEST_MONGODB_URI,
    onProgress: (line) => console.log(line),
  });
  process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS = servers.temporal.address;
  process.env.COLLOQUY_TEST_MONGODB_URI = servers.mongodb.address;
  // Most workers of the tests run one graph. A spare executor would cost each of them a second of CPU.
  process.env.COLLOQUY_SPARE_EXECUTORS ??= '0';
  globalThis.__colloquyServers = {
    async stop() {
      await servers.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
