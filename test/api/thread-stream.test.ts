import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Client } from '@langchain/langgraph-sdk';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';
import { startTcpProxy } from '../streams/tcp-proxy.js';
import { newGate } from '../support/gate.js';

interface Part {
  id?: string;
  event: string;
  data: unknown;
}

describe('the stream of a thread', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;

  beforeAll(async () => {
    api = await ApiFixture.start('api_thread_stream');
    url = await api.listen({ endCheckMs: 50 });
    client = api.client(url);
  });
  afterAll(() => api.stop());
  beforeEach(() => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', { said: turn.run.metadata['said'] });
    };
  });

  async function newThread(): Promise<string> {
    return (await client.threads.create({ graphId: 'echo' })).thread_id;
  }

  async function turn(threadId: string, said: string): Promise<string> {
    const run = await client.runs.create(threadId, 'echo', { input: {}, metadata: { said } });
    await client.runs.join(threadId, run.run_id);
    return run.run_id;
  }

  /** Returns the parts of a stream up to the first one that `isLast` accepts. */
  async function collect(stream: AsyncGenerator<Part>, isLast: (part: Part) => boolean): Promise<Part[]> {
    const parts: Part[] = [];
    for await (const part of stream) {
      parts.push(part);
      if (isLast(part)) break;
    }
    return parts;
  }

  const isDone = (runId: string) => (part: Part) =>
    (part.data as { status?: string }).status === 'run_done' && (part.data as { run_id?: string }).run_id === runId;

  const told = (parts: Part[]) => parts.map(({ event, data }) => [event, data]);

  const story = (runId: string, said: string) => [
    ['metadata', { run_id: runId, attempt: 1 }],
    ['values', { said }],
    ['metadata', { status: 'run_done', run_id: runId }],
  ];

  /**
   * Joins the stream of a thread. When the promise resolves, the server has answered, and the
   * stream contains every later event.
   */
  async function joined(threadId: string, path = ''): Promise<AsyncGenerator<Part>> {
    const response = await fetch(`${url}/threads/${threadId}/stream${path}`);
    expect([response.status, response.headers.get('Location')]).toEqual([200, `/threads/${threadId}/stream`]);
    return partsOf(response);
  }

  it('sends the events of every run, and stays open between runs', async () => {
    const threadId = await newThread();
    await turn(threadId, 'before anybody listened');
    const stream = await joined(threadId);
    const runs = [await turn(threadId, 'one'), await turn(threadId, 'two')];
    const parts = await collect(stream, isDone(runs[1] ?? ''));
    expect(told(parts)).toEqual([...story(runs[0] ?? '', 'one'), ...story(runs[1] ?? '', 'two')]);
  });

  it('resumes after the last event id, also on another API server', async () => {
    const threadId = await newThread();
    const runs = [await turn(threadId, 'one'), await turn(threadId, 'two')];
    const all = await collect(client.threads.joinStream(threadId, { lastEventId: '-' }), isDone(runs[1] ?? ''));
    expect(told(all)).toEqual([...story(runs[0] ?? '', 'one'), ...story(runs[1] ?? '', 'two')]);
    const other = api.client(await api.listen());
    for (const [index, { id = '', data }] of all.slice(0, -1).entries()) {
      const rest = await collect(other.threads.joinStream(threadId, { lastEventId: id }), isDone(runs[1] ?? ''));
      // The id of a run's start event contains the offset before the first event of the run. So a
      // client that resumes after the start event gets the start event again.
      const isStart = (data as { attempt?: number }).attempt === 1;
      expect([index, rest]).toEqual([index, all.slice(isStart ? index : index + 1)]);
    }
    const fromStart = other.threads.joinStream(threadId, { lastEventId: '-1' });
    expect(await collect(fromStart, isDone(runs[1] ?? ''))).toEqual(all);
  });

  it('is rejoined by the SDK after a dropped connection, without lost or duplicate events', async () => {
    const threadId = await newThread();
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(url).port) });
    const behind = api.client(`http://127.0.0.1:${proxy.port}`);
    const stream = behind.threads.joinStream(threadId, { lastEventId: '-' });
    try {
      for (const said of ['one', 'two', 'three']) {
        const runId = await turn(threadId, said);
        const parts: Part[] = [];
        while (parts.length < 3) parts.push((await stream.next()).value as Part);
        expect(told(parts)).toEqual(story(runId, said));
        proxy.cut();
      }
    } finally {
      await stream.return(undefined);
      await proxy.close();
    }
  });

  it('sends the current offset at once, so that a client that disconnects early loses no event', async () => {
    const threadId = await newThread();
    await turn(threadId, 'one');
    const tail = await api.stores.events.tail(ANONYMOUS_CALLER, threadId);
    const response = await fetch(`${url}/threads/${threadId}/stream`);
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(new TextDecoder().decode(value)).toMatch(new RegExp(`^id: \\d+-${tail}\n\n$`));
  });

  it('sends only starts and ends of runs, or only edits of the state, if the client requests that', async () => {
    const threadId = await newThread();
    const runId = await turn(threadId, 'one');
    await client.threads.updateState(threadId, { values: { edited: true } });
    const last = await turn(threadId, 'two');
    const lifecycle = client.threads.joinStream(threadId, { lastEventId: '-', streamMode: 'lifecycle' });
    expect(told(await collect(lifecycle, isDone(last)))).toEqual(
      [...story(runId, 'one'), ...story(last, 'two')].filter(([event]) => event === 'metadata'),
    );
    const edits = client.threads.joinStream(threadId, { lastEventId: '-', streamMode: ['state_update'] });
    const [edit] = await collect(edits, () => true);
    expect(edit).toMatchObject({ event: 'state_update', data: { thread_id: threadId, state: { next: [] } } });
    const both = client.threads.joinStream(threadId, { lastEventId: '-', streamMode: ['run_modes', 'state_update'] });
    const events = (await collect(both, isDone(last))).map(({ event }) => event);
    expect(events).toEqual(['metadata', 'values', 'metadata', 'state_update', 'metadata', 'values', 'metadata']);
    const query = await joined(threadId, '?stream_modes=lifecycle');
    const third = await turn(threadId, 'three');
    expect(told(await collect(query, isDone(third)))).toEqual(
      story(third, 'three').filter(([event]) => event === 'metadata'),
    );
  });

  it('sends the new events of an active run, and tells which offsets a later attempt supersedes', async () => {
    const gates = [newGate(), newGate()];
    const said: number[] = [];
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', { n: 1 });
      said.push(await turn.writeEvent('values', { n: 2 }));
      gates[0]?.open();
      await gates[1]?.opened;
      const [seq = 0] = said;
      await turn.nextAttempt([[seq, seq]]);
      await turn.writeEvent('values', { n: 3 });
    };
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'echo', { input: {} });
    await gates[0]?.opened;
    const live = await joined(threadId);
    gates[1]?.open();
    const heard = await collect(live, isDone(run.run_id));
    const [seq = 0] = said;
    expect(told(heard)).toEqual([
      ['metadata', { run_id: run.run_id, attempt: 2, superseded: [[seq, seq]] }],
      ['values', { n: 3 }],
      ['metadata', { status: 'run_done', run_id: run.run_id }],
    ]);
    const later = await collect(client.threads.joinStream(threadId, { lastEventId: '-' }), isDone(run.run_id));
    expect(later.filter(({ event }) => event === 'values').map(({ data }) => data)).toEqual([{ n: 1 }, { n: 3 }]);
  });

  it('sends the error of a failed run and stays open for the next run', async () => {
    const threadId = await newThread();
    api.conversations.script = async () => ({ error: { error: 'TypeError', message: 'no' } });
    const failed = await turn(threadId, 'one');
    const parts = await collect(client.threads.joinStream(threadId, { lastEventId: '-' }), isDone(failed));
    expect(told(parts)).toEqual([
      ['metadata', { run_id: failed, attempt: 1 }],
      ['error', { error: 'TypeError', message: 'no' }],
      ['metadata', { status: 'run_done', run_id: failed }],
    ]);
  });

  it('ends when the thread is deleted', async () => {
    const threadId = await newThread();
    const stream = await joined(threadId);
    await client.threads.delete(threadId);
    expect(await collect(stream, () => false)).toEqual([]);
  });

  it('requires an existing thread and a valid event id', async () => {
    const unknown = await fetch(`${url}/threads/${randomUUID()}/stream`);
    expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('not found')]);
    const response = await fetch(`${url}/threads/${await newThread()}/stream`, { headers: { 'Last-Event-ID': 'x' } });
    expect([response.status, await response.text()]).toEqual([422, expect.stringContaining('Last-Event-ID')]);
  });
});

/** Yields the events of a stream until its connection ends. An incomplete last event is dropped. */
async function* partsOf(response: Response): AsyncGenerator<Part> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [id, event, data] = [field('id'), field('event'), field('data')];
      if (event && data) yield { ...(id && { id }), event, data: JSON.parse(data) };
    }
  }
}
