import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { conversationId } from '../../protocol/index.js';
import { ServiceProcesses } from '../support/house.js';
import { ProtocolReader, dataOf, isTerminal } from '../support/protocol-reader.js';
import { Receiver } from '../support/receiver.js';

const PROJECT = resolve('test/fixtures/projects/throwing/langgraph.json');
const ALL_MODES = ['values', 'updates', 'messages', 'events', 'tasks', 'debug', 'checkpoints'];
const LONG = 'x'.repeat(5_000_000);

const lost = (reason: string) =>
  `a node threw an object that LangGraph cannot change, so its message is lost (${reason})`;

/** What the node throws, and the error with which the run must end. */
const EXPECTED: [thrown: string, error: string, message: string][] = [
  ['circular', 'Error', 'it causes itself'],
  ['circular list', 'AggregateError', 'it contains itself'],
  ['deep cause', 'Error', 'level 19999'],
  // LangGraph looks for a mark in the cause of the error. The error of this getter then ends the
  // run in place of the error of the node.
  ['hostile', 'Error', 'cause cannot be read'],
  ['unreadable', 'Error', 'the message cannot be read'],
  ['undefined', 'Error', 'undefined'],
  ['null', 'Error', 'null'],
  ['text', 'Error', 'just text'],
  ['symbol', 'Error', 'Symbol(a symbol)'],
  ['bigint', 'Error', '5'],
  ['function', 'Error', 'function thrown() {}'],
  ['frozen', 'TypeError', lost('Cannot add property pregelTaskId, object is not extensible')],
  ['revoked', 'TypeError', lost("Cannot perform 'set' on a proxy that has been revoked")],
  ['no prototype', 'Error', 'no prototype'],
  ['instance', 'Error', 'boom'],
  ['promise', 'Error', '[object Promise]'],
  ['surrogate', 'Error', 'half \ufffd of a pair, and NUL \0'],
  ['odd texts', 'Error', '{"list":[1,2]}'],
  ['bad pause', 'Error', 'bad pause'],
  ['fence lost', 'ColloquyError', 'a liar'],
  ['unavailable', 'ColloquyError', 'a liar'],
  ['cancelled', 'CancelledFailure', 'a liar'],
  ['marked', 'CancelledFailure', 'a liar'],
  ['application failure', 'ApplicationFailure', 'a liar'],
  ['aborted', 'AbortError', 'a liar'],
  ['0.6 MB', 'Error', 'x'.repeat(600_000)],
  ['1.5 MB', 'Error', 'x'.repeat(1_500_000)],
];

interface StoredRun {
  run_id: string;
  status: string;
  error: { error: string; message: string };
}

describe('a run whose node throws', () => {
  const house = new ServiceProcesses(PROJECT, { COLLOQUY_EGRESS_ALLOW: '127.0.0.1' });
  let apiUrl: string;
  let receiver: Receiver;
  let connection: Connection;
  /** The runs of the cases in `EXPECTED`, which are executed concurrently. */
  const ended = new Map<string, ReturnType<typeof execute>>();

  beforeAll(async () => {
    receiver = await Receiver.start();
    const [, api] = await Promise.all([house.worker(), house.api()]);
    apiUrl = api.url;
    connection = await Connection.connect({ address: house.temporalAddress });
    for (const [thrown] of EXPECTED) {
      // In all stream modes, LangGraph also passes the value to its tracers and into events.
      const run = execute(thrown, { stream_mode: ALL_MODES });
      ended.set(thrown, run);
      // The test of the case reports a failure. Until then, Node.js must not count it as unhandled.
      run.catch(() => undefined);
    }
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await Promise.all([connection.close(), receiver.close()]);
  });

  async function call<T>(path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${apiUrl}${path}`, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  const order = (thrown: string, more: object = {}) => ({
    assistant_id: 'throwing',
    input: { throw: thrown },
    if_not_exists: 'create',
    ...more,
  });

  /** Executes a run until its end. Returns what a client that waits for it gets, and its record. */
  async function execute(thrown: string, more: object = {}) {
    const threadId = randomUUID();
    const output = await call(`/threads/${threadId}/runs/wait`, order(thrown, more));
    return { output, runs: await call<StoredRun[]>(`/threads/${threadId}/runs`) };
  }

  it.each(EXPECTED)('ends in `error`, and names what was thrown: %s', async (thrown, error, message) => {
    const result = await ended.get(thrown);
    expect(result?.output).toEqual({ __error__: { error, message } });
    expect(result?.runs).toMatchObject([{ status: 'error', error: { error, message } }]);
  });

  it('shows a message of 5 MB to all readers of the run, and keeps the workflow history small', async () => {
    const threadId = randomUUID();
    const webhook = `${receiver.url}/${threadId}`;
    const { run_id } = await call<StoredRun>(`/threads/${threadId}/runs`, order('5 MB', { webhook }));
    const run = `/threads/${threadId}/runs/${run_id}`;
    const error = { error: 'Error', message: LONG };
    expect(await call(`${run}/join`)).toEqual({ __error__: error });
    expect(await call(run)).toMatchObject({ status: 'error', error });
    const stream = await (await fetch(`${apiUrl}${run}/stream`, { headers: { 'last-event-id': '-1' } })).text();
    expect(stream).toContain(`event: error\ndata: ${JSON.stringify(error)}\n`);
    const delivered = await receiver.waitFor(1, ({ path }) => path.includes(threadId));
    expect(JSON.parse(delivered.body)).toMatchObject({ status: 'error', error: LONG });

    const { tasks } = await call<{ tasks: { error: string }[] }>(`/threads/${threadId}/state`);
    expect(tasks.map((task) => task.error)).toEqual([LONG]);
    const thread = await call<{ status: string; error: StoredRun['error'] }>(`/threads/${threadId}`);
    expect(thread.status).toBe('error');
    expect(thread.error.message).toHaveLength(4_000);
    expect(thread.error.message.slice(-63)).toBe("xx… (5,000,000 characters; the run's record has the whole text)");

    const workflow = new TemporalClient({ connection }).workflow.getHandle(conversationId('default', threadId));
    expect((await workflow.describe()).historySize).toBeLessThan(100_000);
  });

  it('shows a message of 5 MB to protocol v2', async () => {
    const reader = await ProtocolReader.open(apiUrl, randomUUID(), { channels: ['lifecycle', 'tasks'] });
    await reader.command('run.start', { assistant_id: 'throwing', input: { throw: '5 MB' } });
    const ending = (await reader.until(isTerminal)).at(-1);
    reader.close();
    expect(dataOf(ending?.params as never)).toMatchObject({ event: 'failed', error: LONG });
  });

  it('ends in `error` if the name of the error has 5 MB: the record has its beginning', async () => {
    const { runs } = await execute('5 MB name');
    expect(runs).toMatchObject([{ status: 'error', error: { message: 'the name is long' } }]);
    expect(runs[0]?.error.error).toHaveLength(2 ** 20);
    expect(runs[0]?.error.error.slice(-30)).toBe('N… (5,000,000 characters; cut)');
  });

  it.each([
    ['drained', 'a liar'],
    ['really drained', 'Graph drained: a liar'],
  ])('ends in `error` if a node throws what LangGraph throws for a stopped graph: %s', async (thrown, message) => {
    const { output, runs } = await execute(thrown);
    const error = { error: 'GraphDrained', message };
    expect(output).toEqual({ __error__: error });
    expect(runs).toMatchObject([{ status: 'error', error }]);
  });
});
