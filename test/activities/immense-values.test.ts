import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

const PROJECT = resolve('test/fixtures/projects/immense/langgraph.json');
const LONG_NAME = 'n'.repeat(3_000_000);
const SECONDS = 'a number of seconds from now, whose end is a valid date';
const ISO = 'a date and time in ISO 8601, such as 2030-01-31T12:00:00Z';
const TOO_LARGE =
  /^the list of open questions \(interrupts\) of thread [-0-9a-f]{36} has 18\d{6} bytes; the limit is 15728640$/;

const deadline = (field: string, value: string, expected: string) =>
  `colloquy.${field} in the question of node ask is ${value}; expected ${expected}`;

/** What the graph does, and the message of the error with which its run must end. */
const FAILING: [how: string, message: string | RegExp][] = [
  ['one question', TOO_LARGE],
  ['three questions', TOO_LARGE],
  ['infinite', deadline('deadline_seconds', 'Infinity', SECONDS)],
  ['no number', deadline('deadline_seconds', 'NaN', SECONDS)],
  ['late', deadline('deadline_seconds', '1000000000000000000', SECONDS)],
  ['early', deadline('deadline_seconds', '-1000000000000000000', SECONDS)],
  ['as text', deadline('deadline_seconds', '"60"', SECONDS)],
  ['symbol', deadline('deadline', 'Symbol(x)', ISO)],
  ['bare', deadline('deadline', '{}', ISO)],
  ['word', deadline('deadline', '"tomorrow"', ISO)],
];

describe('a run with values that cannot be recorded', () => {
  const house = new ServiceProcesses(PROJECT, { COLLOQUY_SHOW_QUESTIONS: '1' });
  let client: Client;

  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url });
  }, 60_000);
  afterAll(() => house.stop(), 60_000);

  async function execute(threadId: string, how: string) {
    const { run_id } = await client.runs.create(threadId, 'immense', { input: { how } });
    await client.runs.join(threadId, run_id).catch(() => undefined);
    return client.runs.get(threadId, run_id);
  }

  it.each(FAILING)(
    'ends in `error` with a clear text, and its thread goes on: %s',
    async (how, message) => {
      const { thread_id: threadId } = await client.threads.create();
      const failed = (await execute(threadId, how)) as unknown as { status: string; error: { message: string } };
      expect(failed.status).toBe('error');
      expect(failed.error.message).toMatch(message instanceof RegExp ? message : /./);
      if (typeof message === 'string') expect(failed.error.message).toBe(message);
      expect((await client.threads.get(threadId)).status).toBe('error');
      expect((await execute(threadId, 'small')).status).toBe('success');
      expect((await client.threads.get(threadId)).status).toBe('idle');
    },
    60_000,
  );

  it('succeeds with the name of a tool that is longer than a result of an activity, and keeps it', async () => {
    const { thread_id: threadId } = await client.threads.create();
    expect((await execute(threadId, 'long tool')).status).toBe('success');
    const { values } = await client.threads.getState(threadId);
    expect((values as { results: { name: string }[] }).results).toMatchObject([{ name: LONG_NAME }]);
  }, 60_000);
});
