import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { startChild, untilReady } from '../servers/child.js';
import { packageRoot } from '../cli/index.js';
import { LOOPBACK, freePort } from '../servers/ports.js';
import { PROJECT, type BenchHouse } from './house.js';

export const PEER = 'langgraphjs dev';
const READY_TIMEOUT_MS = 90_000;
/**
 * Environment variables for LangGraph's own server. They turn off its browser window, usage data
 * and traces, and reduce its log to errors.
 */
const ENVIRONMENT = ['BROWSER=none', 'LANGGRAPH_CLI_NO_ANALYTICS=1', 'LANGSMITH_TRACING=false', 'LOG_LEVEL=error'];

/**
 * Starts LangGraph's own development server with a copy of the project that the benchmarks run.
 * Returns the URL of the server.
 */
export async function startPeer(house: BenchHouse): Promise<string> {
  const folder = join(house.dataDir, 'peer');
  mkdirSync(folder, { recursive: true });
  cpSync(dirname(PROJECT), folder, { recursive: true });
  symlinkSync(join(packageRoot(), 'node_modules'), join(folder, 'node_modules'));
  const port = await freePort();
  const url = `http://${LOOPBACK}:${port}`;
  const cli = join(dirname(createRequire(import.meta.url).resolve('@langchain/langgraph-cli/package.json')), 'dist');
  const command = [process.execPath, join(cli, 'cli', 'cli.mjs'), 'dev', '--no-browser', '--no-reload'];
  const spec = {
    name: PEER,
    command: 'env',
    args: [...ENVIRONMENT, ...command, '--host', LOOPBACK, '--port', String(port), '--config', folder],
    logFile: join(house.dataDir, 'logs', 'peer.log'),
  };
  house.say(`starting ${PEER} on port ${port}`);
  const child = startChild(spec);
  house.onStop(() => child.stop());
  const probe = async () => {
    const answer = await fetch(`${url}/ok`);
    if (!answer.ok) throw new Error(`${PEER} answers ${answer.status}`);
  };
  await untilReady(spec, child, probe, READY_TIMEOUT_MS);
  return url;
}
