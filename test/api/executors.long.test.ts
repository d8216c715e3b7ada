import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-unruly-'));
const ledger = join(folder, 'ledger');
const release = join(folder, 'release');

/** A busy machine needs seconds to start a process. */
const LONG_MS = 120_000;

describe('an API process whose project has unruly graphs', () => {
  writeFileSync(ledger, '');
  const house = new ServiceProcesses(resolve('test/fixtures/projects/unruly/langgraph.json'), {
    UNRULY_LEDGER: ledger,
    UNRULY_RELEASE: release,
    COLLOQUY_STOP_GRACE_MS: '500',
  });
  let api: ServiceProcess;
  let client: Client;
  let good: string;
  let other: string;

  beforeAll(async () => {
    [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null, callerOptions: { maxRetries: 0 } });
  }, LONG_MS);
  afterAll(async () => {
    await house.stop();
    rmSync(folder, { recursive: true });
  });

  /** Creates a thread. The answer contains its values, so this reads its state for the first time. */
  const threadOf = async (graphId: string) => (await client.threads.create({ graphId })).thread_id;
  const read = (threadId: string) => client.threads.getState(threadId);
  /** Processes that ran code of a graph, as the ledger names it. */
  const notes = (what?: string) =>
    readFileSync(ledger, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
      .filter(([name]) => what === undefined || name === what)
      .map(([, pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
  const failure = async (answer: Promise<unknown>) => {
    const error = await answer.then(
      () => undefined,
      (reason: unknown) => reason as { status: number; message: string },
    );
    return { status: error?.status, message: error?.message };
  };
  /** Does what clients do that have nothing to do with an unruly graph. */
  async function others(): Promise<void> {
    expect((await fetch(`${api.url}/ok`)).status).toBe(200);
    expect((await read(other)).values).toEqual({});
    expect((await read(good)).values).toEqual({});
  }
  /** Reads events of a run that is still running. */
  async function streams(): Promise<void> {
    const { thread_id: threadId } = await client.threads.create();
    const stream = client.runs.stream(threadId, 'slow', { input: {}, streamMode: 'updates' });
    let events = 0;
    for await (const _event of stream) if ((events += 1) === 5) break;
    expect(events).toBe(5);
  }

  it(
    'starts no executor before a call needs one, and then runs the reads of all graphs in one',
    async () => {
      expect(notes().filter(({ parent }) => parent === api.pid)).toEqual([]);
      [good, other] = await Promise.all([threadOf('good'), threadOf('other')]);
      await others();
      const own = notes().filter(({ parent }) => parent === api.pid);
      expect(own).toHaveLength(2);
      expect(new Set(own.map(({ pid }) => pid)).size).toBe(1);
    },
    LONG_MS,
  );

  it(
    'serves other reads and streams while a factory blocks, and then also the one that blocked',
    async () => {
      const blocked = threadOf('blocks').then(read);
      await until(() => notes('blocks').length > 0);
      let isBlocked = true;
      void blocked.finally(() => (isBlocked = false)).catch(() => undefined);
      await Promise.all([others(), streams()]);
      expect(isBlocked).toBe(true);
      writeFileSync(release, '');
      expect((await blocked).values).toEqual({});
    },
    LONG_MS,
  );

  it.each([
    ['exits', 'exits', /graph exits\b.*exit code 7[^]*the last words of exits/],
    ['throws an exception that nobody catches', 'throws_later', /graph throws_later\b[^]*nobody catches this/],
    ['throws', 'throws', /graph throws: .*no graph today/],
  ])(
    'blames the graph, and serves others, if a factory %s',
    async (_, graphId, message) => {
      const failed = threadOf(graphId).then((thread) => failure(read(thread)));
      await Promise.all([others(), others(), streams()]);
      expect(await failed).toEqual({ status: 500, message: expect.stringMatching(message) });
      await others();
    },
    LONG_MS,
  );

  it.each([
    ['a reducer', 'exit in a reducer', 9],
    ['a conditional edge', 'exit in an edge', 8],
  ])(
    'does not repeat an edit of a state in which %s exits, and says so',
    async (_, text, code) => {
      const thread = await threadOf('edits');
      const edited = failure(client.threads.updateState(thread, { values: { text }, asNode: 'say' }));
      await others();
      const message = new RegExp(`graph edits\\b.*exit code ${code}.*may have been written`);
      expect(await edited).toEqual({ status: 500, message: expect.stringMatching(message) });
      await client.threads.updateState(thread, { values: { text: 'harmless' }, asNode: 'say' });
      expect((await read(thread)).values).toEqual({ text: 'harmless' });
    },
    LONG_MS,
  );

  it(
    'finds threads whose graphs cannot be read',
    async () => {
      const found = await client.threads.search({ metadata: { graph_id: 'throws' } });
      expect(found.map(({ values }) => values)).toEqual([null]);
    },
    LONG_MS,
  );

  it('has run no code of a graph in the API process, which is still the same', async () => {
    await others();
    expect(notes().length).toBeGreaterThan(3);
    expect(notes().filter(({ pid }) => pid === api.pid)).toEqual([]);
    expect(api.ending()).toBeUndefined();
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(20);
}
