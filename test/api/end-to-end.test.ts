import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { createConversations } from '../../conversations/index.js';
import { type Conversations } from '../../conversations/ports.js';
import { DEFAULT_SETTINGS } from '../../workflows/contract.js';
import { ANONYMOUS_CALLER } from '../support/api-server.js';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';

interface Part {
  id?: string;
  event: string;
  data: unknown;
}

describe('the whole system with API, worker, Temporal and MongoDB', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/talk/langgraph.json'));
  let api: ServiceProcess;
  let client: Client;
  let connection: Connection;
  let conversations: Conversations;

  beforeAll(async () => {
    [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
    connection = await Connection.connect({ address: house.temporalAddress });
    conversations = createConversations({
      client: new TemporalClient({ connection }),
      taskQueue: house.name,
      settings: DEFAULT_SETTINGS,
      timeoutMs: 10_000,
    });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await connection.close();
  });

  async function newThread(): Promise<string> {
    return (await client.threads.create()).thread_id;
  }

  it('holds a conversation of several runs', async () => {
    const threadId = await newThread();
    expect(await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] } })).toEqual({
      log: ['hi', 'heard', 'answered'],
    });
    const second = await client.runs.wait(threadId, 'talk', { input: { log: ['again'] } });
    expect(second).toEqual({ log: ['hi', 'heard', 'answered', 'again', 'heard', 'answered'] });
    const thread = await client.threads.get(threadId);
    expect(thread).toMatchObject({ status: 'idle', values: second, metadata: { graph_id: 'talk' } });
    const history = await client.threads.getHistory(threadId);
    expect(history[0]).toMatchObject({ values: second, next: [] });
    expect(history).toHaveLength(10);
    const runs = await client.runs.list(threadId);
    expect(runs.map((run) => run.status)).toEqual(['success', 'success']);
  });

  it('streams an event of 20 MiB, which is more than a MongoDB document can hold', async () => {
    const sizes: number[] = [];
    for await (const { event, data } of client.runs.stream(await newThread(), 'bulky', {
      input: {},
      streamMode: 'updates',
    })) {
      if (event === 'updates') sizes.push((data as { say: { log: string[] } }).say.log[0]?.length ?? 0);
      else expect(event).toBe('metadata');
    }
    expect(sizes).toEqual([20 * 2 ** 20]);
  });

  it("searches a thread's history by metadata, and finds only the states of the run with this metadata", async () => {
    const threadId = await newThread();
    await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] }, metadata: { topic: 'greeting' } });
    await client.runs.wait(threadId, 'talk', { input: { log: ['again'] }, metadata: { topic: 'other' } });
    const found = await client.threads.getHistory(threadId, { metadata: { topic: 'greeting' } });
    expect(found).toHaveLength(5);
    expect(found[0]).toMatchObject({
      values: { log: ['hi', 'heard', 'answered'] },
      metadata: { topic: 'greeting', graph_id: 'talk', source: 'loop' },
    });
  });

  it('streams the events of every stream mode', async () => {
    const parts = await collect(
      client.runs.stream(await newThread(), 'talk', {
        input: { log: ['hi'] },
        streamMode: ['values', 'updates', 'custom', 'tasks', 'checkpoints', 'debug', 'events', 'messages-tuple'],
      }),
    );
    const names = new Set(parts.map((part) => part.event));
    expect([...names]).toEqual(
      expect.arrayContaining(['metadata', 'values', 'updates', 'custom', 'tasks', 'checkpoints', 'debug', 'events']),
    );
    expect(parts.filter((part) => part.event === 'custom').map((part) => part.data)).toEqual([{ heard: true }]);
    const updates = parts.filter((part) => part.event === 'updates').map((part) => part.data);
    expect(updates.map((update) => Object.keys(update as object))).toEqual([['hear'], ['ask'], ['answer']]);
  });

  it('continues an interrupted graph with the first answer, and refuses a second answer', async () => {
    const threadId = await newThread();
    const asked = await client.runs.wait(threadId, 'talk', { input: { log: ['shall I?'] } });
    expect(asked).toMatchObject({ __interrupt__: [{ value: { question: 'shall I?' } }] });
    const thread = await client.threads.get(threadId);
    expect(thread.status).toBe('interrupted');
    const [[question] = []] = Object.values(thread.interrupts);
    expect(question?.value).toEqual({ question: 'shall I?' });
    expect((await client.threads.getState(threadId)).next).toEqual(['ask']);
    const answers = await Promise.allSettled(
      ['yes', 'no'].map((resume) => client.runs.wait(threadId, 'talk', { command: { resume } })),
    );
    const refused = answers.filter((answer) => answer.status === 'rejected');
    expect(refused.map((answer) => (answer.reason as { status: number }).status)).toEqual([409]);
    const { values } = await client.threads.getState(threadId);
    const told = (values as { log: string[] }).log.filter((line) => line.startsWith('told'));
    expect(told).toHaveLength(1);
    expect((await client.threads.get(threadId)).status).toBe('idle');
  });

  it('accepts the answer to an interrupt directly through the Temporal workflow, without HTTP', async () => {
    const threadId = await newThread();
    await client.runs.wait(threadId, 'talk', { input: { log: ['shall I?'] } });
    const view = await conversations.view(ANONYMOUS_CALLER, threadId);
    expect(view.interrupts).toEqual([{ id: expect.any(String) as unknown, node: 'ask' }]);
    const { runId } = await conversations.resume(ANONYMOUS_CALLER, threadId, { value: 'yes' });
    await until(async () => (await conversations.view(ANONYMOUS_CALLER, threadId)).last?.runId === runId);
    expect(await client.runs.join(threadId, runId)).toMatchObject({
      log: ['shall I?', 'heard', 'told yes', 'answered'],
    });
    await expect(conversations.resume(ANONYMOUS_CALLER, threadId, { value: 'yes' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('shows a readable summary of a conversation in Temporal', async () => {
    const threadId = await newThread();
    await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] } });
    const handle = new TemporalClient({ connection }).workflow.getHandle(`conversation/default/${threadId}`);
    const description = await handle.describe();
    expect(await description.staticSummary()).toBe('conversation with talk');
    expect(await description.staticDetails()).toContain(threadId);
    expect(description.typedSearchAttributes.getAll().map(({ key }) => key.name)).toEqual(
      expect.arrayContaining(['ColloquyTenant', 'ColloquyAssistant', 'ColloquyStatus']),
    );
  });

  it('executes the runs of one thread sequentially, in the order of their acceptance', async () => {
    const threadId = await newThread();
    const runs = [];
    for (const text of ['one', 'two', 'three']) {
      runs.push(await client.runs.create(threadId, 'talk', { input: { log: [text] } }));
    }
    const last = await client.runs.join(threadId, runs[2]?.run_id ?? '');
    const said = (last as unknown as { log: string[] }).log.filter((line) => ['one', 'two', 'three'].includes(line));
    expect(said).toEqual(['one', 'two', 'three']);
    const first = await client.runs.join(threadId, runs[0]?.run_id ?? '');
    expect(first).toEqual({ log: ['one', 'heard', 'answered'] });
  });

  it('applies the multitask strategies reject, interrupt and rollback', async () => {
    const threadId = await newThread();
    const working = await ticking(threadId);
    await expect(client.runs.create(threadId, 'talk', { input: {}, multitaskStrategy: 'reject' })).rejects.toThrow(
      'HTTP 409',
    );
    const after = await client.runs.wait(threadId, 'talk', {
      input: { log: ['stop'] },
      multitaskStrategy: 'interrupt',
    });
    expect((after as { log: string[] }).log).toContain('stop');
    expect((await client.runs.get(threadId, working)).status).toBe('interrupted');

    const other = await newThread();
    const undone = await ticking(other);
    const clean = await client.runs.wait(other, 'talk', { input: { log: ['anew'] }, multitaskStrategy: 'rollback' });
    expect(clean).toEqual({ log: ['anew', 'heard', 'answered'] });
    await expect(client.runs.get(other, undone)).rejects.toThrow('HTTP 404');
  });

  it('accepts a run with the strategy reject right after the end of the previous run', async () => {
    const threadId = await newThread();
    for (let turn = 0; turn < 3; turn += 1) {
      await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] }, multitaskStrategy: 'reject' });
    }
    expect(await client.runs.list(threadId)).toHaveLength(3);
  });

  it('cancels a run, waits for its end, and then executes the next run of the thread', async () => {
    const threadId = await newThread();
    const runId = await ticking(threadId);
    await client.runs.cancel(threadId, runId, true);
    expect((await client.runs.get(threadId, runId)).status).toBe('interrupted');
    const next = await client.runs.wait(threadId, 'talk', { input: { log: ['still there?'.slice(0, -1)] } });
    expect((next as { log: string[] }).log.at(-1)).toBe('answered');
  });

  it('ends a failing run with its error, and then executes the next run of the thread', async () => {
    const threadId = await newThread();
    const parts = await collect(client.runs.stream(threadId, 'broken', { input: { log: [] } }));
    expect(parts.filter((part) => part.event === 'error')).toMatchObject([
      { data: { error: 'TypeError', message: 'the node cannot do this' } },
    ]);
    expect((await client.threads.get(threadId)).status).toBe('error');
    await expect(client.runs.wait(threadId, 'broken', { input: {} })).rejects.toThrow('TypeError');
    const next = await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] } });
    expect((next as { log: string[] }).log.at(-1)).toBe('answered');
  });

  it('edits the state of a thread', async () => {
    const threadId = await newThread();
    await client.runs.wait(threadId, 'talk', { input: { log: ['first'] } });
    await client.threads.updateState(threadId, { values: { log: ['edited'] }, asNode: 'answer' });
    expect(((await client.threads.getState(threadId)).values as { log: string[] }).log.at(-1)).toBe('edited');
  });

  it('forks a thread at an earlier checkpoint', async () => {
    const threadId = await newThread();
    await client.runs.wait(threadId, 'talk', { input: { log: ['first'] } });
    await client.runs.wait(threadId, 'talk', { input: { log: ['second'] } });
    const history = await client.threads.getHistory(threadId, { limit: 20 });
    const fork = history.find(
      (state) => state.next.length === 0 && (state.values as { log: string[] }).log.length === 3,
    );
    const checkpoint_id = fork?.checkpoint.checkpoint_id ?? '';
    const forked = await client.runs.wait(threadId, 'talk', { input: { log: ['other'] }, checkpointId: checkpoint_id });
    expect(forked).toEqual({ log: ['first', 'heard', 'answered', 'other', 'heard', 'answered'] });
    await client.threads.updateState(threadId, { values: { log: ['edited'] }, asNode: 'answer' });
    expect(((await client.threads.getState(threadId)).values as { log: string[] }).log.at(-1)).toBe('edited');
  });

  it('executes stateless runs', async () => {
    const values = await client.runs.wait(null, 'talk', { input: { log: ['hi'] } });
    expect(values).toEqual({ log: ['hi', 'heard', 'answered'] });
    const parts = await collect(client.runs.stream(null, 'talk', { input: { log: ['hi'] }, streamMode: 'values' }));
    expect(parts.at(-1)?.data).toEqual({ log: ['hi', 'heard', 'answered'] });
  });

  it('executes a request only once if it is repeated with the same idempotency key', async () => {
    const threadId = await newThread();
    const body = JSON.stringify({ assistant_id: 'talk', input: { log: ['pay'] } });
    const send = () =>
      fetch(`${api.url}/threads/${threadId}/runs/wait`, {
        method: 'POST',
        headers: { 'Idempotency-Key': 'pay' },
        body,
      });
    const answers = await Promise.all([send(), send(), send()].map(async (sent) => (await sent).json()));
    for (const answer of answers) expect(answer).toEqual({ log: ['pay', 'heard', 'answered'] });
    expect(await client.runs.list(threadId)).toHaveLength(1);
  });

  it('neither loses nor duplicates events when the API process is killed', async () => {
    const [doomed, other] = await Promise.all([house.api(), house.api()]);
    const threadId = await newThread();
    const response = await fetch(`${doomed.url}/threads/${threadId}/runs/stream`, {
      method: 'POST',
      body: JSON.stringify({ assistant_id: 'ticker', input: { ticks: 60 }, stream_mode: ['custom', 'values'] }),
    });
    const seen: Part[] = [];
    await readEvents(response, (part) => {
      seen.push(part);
      if (seen.length === 10) void doomed.kill('SIGKILL');
    });
    expect(seen.length).toBeLessThan(60);
    const rest: Part[] = [];
    const resumed = await fetch(`${other.url}${response.headers.get('Location')}`, {
      headers: { 'Last-Event-ID': seen.at(-1)?.id ?? '' },
    });
    await readEvents(resumed, (part) => rest.push(part));
    const ticks = [...seen, ...rest].filter((part) => part.event === 'custom').map((part) => part.data);
    expect(ticks).toEqual(Array.from({ length: 60 }, (_, n) => ({ n: n + 1 })));
    expect(rest.at(-1)).toMatchObject({ event: 'values', data: { log: ['ticked 60'] } });
    await other.kill();
  });

  it('deletes a thread with an active run, and accepts a new thread with the same id', async () => {
    const threadId = await newThread();
    await ticking(threadId);
    await client.threads.delete(threadId);
    await expect(client.threads.get(threadId)).rejects.toThrow('HTTP 404');
    await client.threads.create({ threadId });
    const anew = await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] } });
    expect(anew).toEqual({ log: ['hi', 'heard', 'answered'] });
  });

  it('if a conversation does not exist, `conversations.view` fails with "not_found" and `conversations.close` succeeds', async () => {
    const nowhere = randomUUID();
    await expect(conversations.view(ANONYMOUS_CALLER, nowhere)).rejects.toMatchObject({ code: 'not_found' });
    await expect(conversations.close(ANONYMOUS_CALLER, nowhere, 1_000)).resolves.toBeUndefined();
  });

  it('answers "unavailable" to a submitted run after a timeout if no worker executes the workflow', async () => {
    const lonely = createConversations({
      client: new TemporalClient({ connection }),
      taskQueue: `${house.name}-nobody`,
      settings: DEFAULT_SETTINGS,
      timeoutMs: 300,
    });
    const submission = { runId: randomUUID(), graphId: 'talk', assistantId: 'talk', strategy: 'enqueue' } as const;
    await expect(lonely.submit(ANONYMOUS_CALLER, randomUUID(), submission)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  /** Starts a run of 1,000 ticks. Returns its id after the run has streamed its first tick. */
  async function ticking(threadId: string): Promise<string> {
    const stream = client.runs.stream(threadId, 'ticker', { input: { ticks: 1_000 }, streamMode: 'custom' });
    const first = await stream.next();
    await stream.next();
    return (first.value?.data as { run_id: string }).run_id;
  }
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function collect(stream: AsyncIterable<unknown>): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of stream) parts.push(part as Part);
  return parts;
}

/** Calls `told` for each complete event until the stream ends or its connection fails. */
async function readEvents(response: Response, told: (part: Part) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      const blocks = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) if (block.startsWith('id: ')) told(parseEvent(block));
    }
  } catch {
    // The server process was killed.
  }
}

function parseEvent(block: string): Part {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
  return { id: field('id'), event: field('event'), data: JSON.parse(field('data')) as unknown };
}
