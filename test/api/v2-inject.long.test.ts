import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { ProtocolReader, isTerminal } from '../support/protocol-reader.js';

interface Message {
  type: string;
  content: string;
  id: string;
  name?: string;
}

describe('the command input.inject, which sends a message to the active run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'steered-'));
  const project = resolve('test/fixtures/projects/steered/langgraph.json');
  const house = new ServiceProcesses(project, { STEERED_FOLDER: folder });
  let worker: ServiceProcess;
  let api: ServiceProcess;
  let client: Client;

  beforeAll(async () => {
    [worker, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    rmSync(folder, { recursive: true });
  });

  /** Starts a run on a new thread, and waits until the node `node` has begun. */
  async function working(assistant: string, node: string, input: unknown = said('go')) {
    const threadId = randomUUID();
    const filter = { channels: ['values', 'lifecycle', 'messages', 'input'] };
    const reader = await ProtocolReader.open(api.url, threadId, filter);
    const { result } = await reader.command('run.start', { assistant_id: assistant, input });
    const thread = {
      threadId,
      reader,
      runId: (result as { run_id: string }).run_id,
      begun: (name: string) => exists(`${threadId}.${name}.begun`),
      open: (name: string) => writeFileSync(join(folder, `${threadId}.${name}.open`), ''),
      inject: (content: string, more: object = {}, key?: string) => send(threadId, { ...said1(content), ...more }, key),
      /** Waits until `runs` runs have ended. Returns the contents of the thread's messages. */
      after: async (runs: number): Promise<string[]> => {
        await reader.until(isTerminal, runs);
        const { values } = await client.threads.getState<{ messages: Message[] }>(threadId);
        return values.messages.map(({ content }) => content);
      },
    };
    await thread.begun(node);
    return thread;
  }

  const said1 = (content: string) => ({ role: 'user', content });
  const said = (content: string) => ({ messages: [said1(content)] });

  async function exists(name: string): Promise<void> {
    const path = join(folder, name);
    await new Promise<void>((done) => {
      const watcher = watch(folder, () => check());
      const check = () => {
        if (!existsSync(path)) return;
        watcher.close();
        done();
      };
      check();
    });
  }

  async function send(threadId: string, message: unknown, key?: string): Promise<Record<string, unknown>> {
    const answer = await fetch(`${api.url}/threads/${threadId}/commands`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      body: JSON.stringify({ id: 1, method: 'input.inject', params: { namespace: [], message } }),
    });
    return (await answer.json()) as Record<string, unknown>;
  }

  it('inserts messages between two supersteps of the active run, in the order sent, and streams them', async () => {
    const { threadId, reader, open, inject, after } = await working('relay', 'one');
    const first = await inject('left', { id: 'm-left', name: 'ann' });
    expect(first).toMatchObject({ type: 'success', result: { message_id: 'm-left' } });
    expect(await inject('right', { role: 'system' })).toMatchObject({ type: 'success' });
    open('one');
    open('two');
    expect(await after(1)).toEqual([
      'go',
      'one: go',
      'left',
      'right',
      'two: go, left, right',
      'three: go, left, right',
    ]);
    const { values } = await client.threads.getState<{ messages: Message[] }>(threadId);
    expect(values.messages[2]).toMatchObject({ type: 'human', id: 'm-left', name: 'ann' });
    expect(values.messages[3]).toMatchObject({ type: 'system' });
    const told = reader.events.filter(({ method, params }) => method === 'values' && params.namespace.length === 0);
    const lengths = told.map(({ params }) => (params.data as { messages: unknown[] }).messages.length);
    expect(lengths).toEqual([1, 2, 4, 5, 6]);
    expect(await client.runs.list(threadId)).toHaveLength(1);
    reader.close();
  });

  it('inserts each message only once, even if workers are killed before and after the insertion', async () => {
    const { reader, begun, open, inject, after } = await working('relay', 'one');
    await inject('left');
    await inject('right');
    let next = await house.worker();
    await worker.kill('SIGKILL');
    worker = next;
    open('one');
    await begun('two');
    await inject('late');
    next = await house.worker();
    await worker.kill('SIGKILL');
    worker = next;
    open('two');
    expect(await after(1)).toEqual([
      'go',
      'one: go',
      'left',
      'right',
      'two: go, left, right',
      'late',
      'three: go, left, right, late',
    ]);
    reader.close();
  }, 90_000);

  it('does not insert a message between a tool call and its result', async () => {
    const { reader, begun, open, inject, after } = await working('agent', 'model');
    await inject('hurry');
    open('model');
    await begun('look');
    open('look');
    expect(await after(1)).toEqual(['go', '', 'seen', 'hurry', 'model: go, hurry']);
    reader.close();
  });

  it('starts one run for all messages that the active run did not insert; the queued runs start after it', async () => {
    const { threadId, reader, runId, open, inject, after } = await working('single', 'only');
    const waiting = await client.runs.create(threadId, 'single', { input: said('waited') });
    await inject('left', { id: 'm-left' });
    await inject('right');
    open('only');
    expect(await after(3)).toEqual([
      'go',
      'only: go',
      'left',
      'right',
      'only: go, left, right',
      'waited',
      'only: go, left, right, waited',
    ]);
    const runs = await client.runs.list(threadId);
    expect(runs).toHaveLength(3);
    expect(runs.map(({ run_id }) => run_id)).toEqual(expect.arrayContaining([waiting.run_id, runId]));
    expect(runs.map(({ status }) => status)).toEqual(['success', 'success', 'success']);
    expect(await inject('nobody works')).toMatchObject({ type: 'error', error: 'no_such_run' });
    reader.close();
  });

  it('keeps a message for the run that answers the interrupt, if the active run is interrupted before it takes the message', async () => {
    const { threadId, reader, open, inject, after } = await working('asking', 'ask');
    await inject('left');
    open('ask');
    await reader.until(isTerminal);
    expect((await client.threads.get(threadId)).status).toBe('interrupted');
    await client.runs.wait(threadId, 'asking', { command: { resume: 'this' } });
    expect(await after(2)).toEqual(['go', 'answer: this after 1', 'left', 'last: go, left']);
    reader.close();
  });

  it('keeps a message for the next run if the active run fails', async () => {
    const { threadId, reader, open, inject, after } = await working('single', 'only', said('fail'));
    await inject('left');
    open('only');
    await reader.until(isTerminal);
    expect((await client.threads.get(threadId)).status).toBe('error');
    await client.runs.wait(threadId, 'single', { input: said('again') });
    expect(await after(2)).toEqual(['fail', 'again', 'left', 'only: fail, again, left']);
    reader.close();
  });

  it.each([
    { action: 'interrupt', left: ['go', 'again', 'left', 'only: go, again, left'] },
    { action: 'rollback', left: ['again', 'only: again'] },
  ] as const)(
    'keeps a message for the next run after a cancel with interrupt, and drops it after a cancel with rollback: $action',
    async ({ action, left }) => {
      const { threadId, reader, runId, open, inject } = await working('single', 'only');
      await inject('left');
      await client.runs.cancel(threadId, runId, true, action);
      open('only');
      const values = await client.runs.wait(threadId, 'single', { input: said('again') });
      expect((values as { messages: Message[] }).messages.map(({ content }) => content)).toEqual(left);
      reader.close();
    },
  );

  it('inserts no second message for a repeated idempotency key, during the run and after its end', async () => {
    const { reader, open, inject, after } = await working('relay', 'one');
    const key = randomUUID();
    const first = await inject('left', {}, key);
    expect(await inject('left', {}, key)).toMatchObject({ result: first['result'] });
    expect(await inject('other', {}, key)).toMatchObject({ error: 'invalid_argument' });
    open('one');
    open('two');
    expect(await after(1)).toEqual(['go', 'one: go', 'left', 'two: go, left', 'three: go, left']);
    expect(await inject('left', {}, key)).toMatchObject({ result: first['result'] });
    reader.close();
  });

  it.each([
    { assistant: 'counter', node: 'tally', input: { count: 0 } },
    { assistant: 'fragile', node: 'keep', input: { messages: ['go'] } },
  ])(
    'refuses a message to $assistant, whose state has no channel "messages" with a reducer',
    async ({ assistant, node, input }) => {
      const { reader, open, inject } = await working(assistant, node, input);
      const refusal = await inject('left');
      expect(refusal).toMatchObject({ type: 'error', error: 'invalid_argument' });
      expect(refusal['message']).toBe(
        `graph ${assistant} takes no messages while it runs: it has no channel "messages" with a reducer`,
      );
      open(node);
      await reader.until(isTerminal);
      reader.close();
    },
  );

  it("refuses invalid commands with the protocol's error codes", async () => {
    const nowhere = await send(randomUUID(), said1('x'));
    expect(nowhere).toMatchObject({ type: 'error', error: 'no_such_run' });
    expect(await send(randomUUID(), { role: 'assistant', content: 'x' })).toMatchObject({ error: 'invalid_argument' });
    expect(await send(randomUUID(), { role: 'user', content: [] })).toMatchObject({ error: 'invalid_argument' });
    const reader = await ProtocolReader.open(api.url, randomUUID(), { channels: ['lifecycle'] });
    const inside = await reader.command('input.inject', { namespace: ['sub:1'], message: said1('x') });
    expect(inside).toMatchObject({ error: 'not_supported' });
    reader.close();
  });
});
