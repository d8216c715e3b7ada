import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { getPriority } from 'node:os';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

/** Inside the repository, so that the project finds its packages. */
const folder = mkdtempSync(resolve('test/fixtures/projects/.spare-'));
const loaded = join(folder, 'loaded');

/**
 * Source of the project. It notes each process that loads it, and the parent of that process. The node
 * `crash` ends its process the first time that it runs.
 */
const GRAPHS = `
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { Annotation, START, StateGraph } from '@langchain/langgraph';

appendFileSync('${loaded}', process.pid + ' ' + process.ppid + '\\n');
const State = Annotation.Root({ pid: Annotation<number>, priority: Annotation<number> });
const where = () => ({ pid: process.pid, priority: getPriority() });
const crash = () => {
  const marker = '${join(folder, 'crashed')}';
  if (existsSync(marker)) return where();
  writeFileSync(marker, '');
  process.exit(7);
};
export const one = new StateGraph(State).addNode('where', where).addEdge(START, 'where').compile();
export const two = new StateGraph(State).addNode('where', where).addEdge(START, 'where').compile();
export const crasher = new StateGraph(State).addNode('crash', crash).addEdge(START, 'crash').compile();
`;

writeFileSync(join(folder, 'graphs.ts'), GRAPHS);
const graphs = Object.fromEntries(['one', 'two', 'crasher'].map((name) => [name, `./graphs.ts:${name}`]));
writeFileSync(join(folder, 'langgraph.json'), JSON.stringify({ graphs }));
const house = new ServiceProcesses(join(folder, 'langgraph.json'), { COLLOQUY_SPARE_EXECUTORS: '1' });
let client: Client;
let workerPid: number;

beforeAll(async () => {
  const [worker, api] = await Promise.all([house.worker(), house.api()]);
  workerPid = worker.pid;
  client = new Client({ apiUrl: api.url, apiKey: null });
}, 60_000);
afterAll(async () => {
  await house.stop();
  rmSync(folder, { recursive: true });
});

const run = async (graph: string) =>
  (await client.runs.wait(null, graph, { input: {} })) as { pid: number; priority: number };
/** Returns the executors of the worker that have loaded the graphs. */
const loadedIn = () => {
  const lines = existsSync(loaded) ? readFileSync(loaded, 'utf8').trim().split('\n') : [];
  const processes = lines.map((line) => line.split(' ').map(Number));
  return processes.filter(([, parent]) => parent === workerPid).map(([pid]) => pid);
};

it('a graph that has no executor gets a spare one, which has loaded it before', async () => {
  const first = await run('one');
  // The worker starts a spare executor as soon as its first executor has a graph.
  while (loadedIn().every((pid) => pid === first.pid)) await tick();
  const before = loadedIn();
  const { pid } = await run('two');
  expect(pid).not.toBe(first.pid);
  expect(before).toContain(pid);
}, 30_000);

it('a run that may have ended its process is tried again in a process of lower priority', async () => {
  const { priority } = await run('crasher');
  expect(priority).toBeGreaterThan(getPriority());
}, 30_000);

function tick(): Promise<void> {
  return new Promise((done) => setTimeout(done, 50));
}
