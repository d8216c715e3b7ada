import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

/** Inside the repository, so that the project finds its packages. */
const folder = mkdtempSync(resolve('test/fixtures/projects/.neighbours-'));
const ledger = join(folder, 'ledger');
const gate = join(folder, 'gate');

/**
 * One graph. The input says what its node does. Each node notes its start. The node of an innocent
 * run waits until the gate is open.
 */
const GRAPH = `
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tool } from '@langchain/core/tools';
import { Annotation, START, StateGraph } from '@langchain/langgraph';
import { z } from 'zod';

const note = (line) => appendFileSync('${ledger}', line + '\\n');
const untilOpen = async () => { while (!existsSync('${gate}')) await sleep(20); };
const deafTool = tool(async () => { note('tool'); await untilOpen(); return ''; }, { name: 'deaf', schema: z.object({}) });

const DOINGS = {
  innocent: untilOpen,
  quick: async () => {},
  deaf: untilOpen,
  tool: (config) => deafTool.invoke({}, config),
  late: async () => void setTimeout(() => { throw new Error('thrown too late'); }, 100),
  spawn: async () => { spawn('no-such-program'); await new Promise(() => {}); },
  blocker: async () => void spawnSync('sleep', ['6']),
  thrower: async () => { await sleep(50); throw new Error('one of two'); },
};
const State = Annotation.Root({ does: Annotation<string> });
const act = async ({ does }, config) => { note(does); await DOINGS[does](config); return {}; };
const beside = async ({ does }) => {
  if (does !== 'thrower') return {};
  await untilOpen();
  note('sibling');
  return {};
};
export const graph = new StateGraph(State)
  .addNode('act', act).addNode('beside', beside)
  .addEdge(START, 'act').addEdge(START, 'beside').compile();
`;

writeFileSync(join(folder, 'graph.ts'), GRAPH);
writeFileSync(join(folder, 'langgraph.json'), '{ "graphs": { "shared": "./graph.ts:graph" } }');
const house = new ServiceProcesses(join(folder, 'langgraph.json'), { COLLOQUY_STOP_GRACE_MS: '300' });
let client: Client;
let log: () => string;

beforeAll(async () => {
  const [worker, api] = await Promise.all([house.worker(), house.api()]);
  log = worker.log;
  client = new Client({ apiUrl: api.url, apiKey: null });
}, 60_000);
afterEach(() => {
  rmSync(gate, { force: true });
  rmSync(ledger, { force: true });
});
afterAll(async () => {
  await house.stop();
  rmSync(folder, { recursive: true });
});

const lines = () => (existsSync(ledger) ? readFileSync(ledger, 'utf8').trim().split('\n') : []);
const count = (line: string) => lines().filter((one) => one === line).length;

/** Starts a run, and waits until its node has begun. */
async function begin(does: string, noted = does) {
  const { thread_id: threadId } = await client.threads.create();
  const before = count(noted);
  const { run_id: runId } = await client.runs.create(threadId, 'shared', { input: { does } });
  await until(() => count(noted) > before);
  return { threadId, runId, ended: () => client.runs.join(threadId, runId), status: () => statusOf(threadId, runId) };
}

async function statusOf(threadId: string, runId: string): Promise<string> {
  return (await client.runs.get(threadId, runId)).status;
}

describe('a run in the same process as another run of its graph', () => {
  it.each([
    ['is cancelled while its node ignores its signal', 'deaf', 'deaf'],
    ['is cancelled while its tool ignores its signal', 'tool', 'tool'],
  ])('goes on, and is executed once, if the other one %s', async (_title, does, noted) => {
    const innocent = await begin('innocent');
    const culprit = await begin(does, noted);
    await client.runs.cancel(culprit.threadId, culprit.runId, true);
    expect(await culprit.status()).toBe('interrupted');
    await until(() => log().includes(`run ${culprit.runId} was given up`));
    expect(await innocent.status()).toBe('running');
    writeFileSync(gate, '');
    await innocent.ended();
    expect(await innocent.status()).toBe('success');
    expect(count('innocent')).toBe(1);
  });

  it('goes on, and is executed once, if the other one throws an exception that nobody catches', async () => {
    const innocent = await begin('innocent');
    const culprit = await begin('spawn');
    await until(() => log().includes(`run ${culprit.runId} has thrown an exception`));
    // The other one is tried again when this one has ended.
    expect(await innocent.status()).toBe('running');
    writeFileSync(gate, '');
    await innocent.ended();
    expect(await innocent.status()).toBe('success');
    expect(count('innocent')).toBe(1);
    await culprit.ended();
    expect(await culprit.status()).toBe('error');
    expect(count('spawn')).toBe(3);
  }, 60_000);

  it('is not blamed for an exception of a run that has ended', async () => {
    const culprit = await begin('late');
    const innocent = await begin('innocent');
    await culprit.ended();
    await until(() => log().includes('thrown too late'));
    const other = await begin('quick');
    await other.ended();
    writeFileSync(gate, '');
    await innocent.ended();
    expect(await innocent.status()).toBe('success');
    expect(count('innocent')).toBe(1);
  });

  it('begins in another process if its own is blocked', async () => {
    const blocker = await begin('blocker');
    const quick = await begin('quick');
    await quick.ended();
    expect(await quick.status()).toBe('success');
    expect(await blocker.status()).toBe('running');
    await blocker.ended();
    expect(count('blocker')).toBe(1);
  });
});

it('a node goes on after another node of its run has failed, as with LangGraph alone', async () => {
  const { ended, status } = await begin('thrower');
  await ended();
  expect(await status()).toBe('error');
  expect(count('sibling')).toBe(0);
  writeFileSync(gate, '');
  await until(() => count('sibling') === 1);
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((done) => setTimeout(done, 20));
}
