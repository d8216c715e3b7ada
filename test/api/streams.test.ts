import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';
import { newGate } from '../support/gate.js';
import { untilAborted } from '../support/scripted-conversations.js';

interface Part {
  id?: string | undefined;
  event: string;
  data: unknown;
}

describe('the stream of a run', () => {
  let api: ApiFixture;
  let url: string;

  beforeAll(async () => {
    api = await ApiFixture.start('api_streams');
    url = await api.listen();
  });
  afterAll(() => api.stop());
  beforeEach(() => {
    api.conversations.script = async () => undefined;
  });

  async function newThread(): Promise<string> {
    const { thread_id } = await api.client(url).threads.create();
    return thread_id;
  }

  it('sends metadata first, then the events in order, and no end event', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', { messages: ['hi'] });
      await turn.writeEvent('updates|child:1', { node: { messages: ['hello'] } });
      await turn.writeEvent('values', { messages: ['hi', 'hello'] });
    };
    const threadId = await newThread();
    const created: unknown[] = [];
    const parts = await collect(
      api.client(url).runs.stream(threadId, 'echo', {
        input: {},
        streamMode: ['values', 'updates'],
        streamSubgraphs: true,
        onRunCreated: (run) => created.push(run),
      }),
    );
    expect(parts.map((part) => part.event)).toEqual(['metadata', 'values', 'updates|child:1', 'values']);
    const { run_id } = parts[0]?.data as { run_id: string };
    expect(parts[0]?.data).toEqual({ run_id, attempt: 1 });
    expect(created).toEqual([{ run_id, thread_id: threadId }]);
    expect(parts.every((part) => /^\d{13}-\d+$/.test(String(part.id)))).toBe(true);
    expect(await api.client(url).runs.get(threadId, run_id)).toMatchObject({ status: 'success' });
  });

  it('sends the paths of the run and of the stream in headers before the first event', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    const threadId = await newThread();
    const response = await post(`${url}/threads/${threadId}/runs/stream`, { assistant_id: 'echo' });
    const at = response.headers.get('Content-Location');
    expect(at).toMatch(new RegExp(`^/threads/${threadId}/runs/[0-9a-f-]{36}$`));
    expect(response.headers.get('Location')).toBe(`${at}/stream`);
    expect(response.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Content-Location');
    gate.open();
    await response.text();
  });

  it('ends with the error if the run failed', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', {});
      return { error: { error: 'TypeError', message: 'no such tool' } };
    };
    const parts = await collect(api.client(url).runs.stream(await newThread(), 'echo', { input: {} }));
    expect(parts.at(-1)).toMatchObject({ event: 'error', data: { error: 'TypeError', message: 'no such tool' } });
  });

  it('sends SSE comments while there are no events, to keep the connection alive', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    const quick = await api.listen({ heartbeatMs: 10 });
    const response = await post(`${quick}/threads/${await newThread()}/runs/stream`, { assistant_id: 'echo' });
    const text = await readUntil(response, (seen) => seen.split(': heartbeat\n\n').length > 3);
    expect(text.startsWith('id: ')).toBe(true);
    gate.open();
  });

  it('sends all events of the run to a client that joins after the run has ended', async () => {
    api.conversations.script = async (turn) => {
      for (let n = 1; n <= 3; n += 1) await turn.writeEvent('custom', { n });
    };
    const threadId = await newThread();
    const run = await api.client(url).runs.create(threadId, 'echo', { input: {}, streamMode: 'custom' });
    await api.conversations.idle();
    const parts = await collect(api.client(url).runs.joinStream(threadId, run.run_id));
    expect(parts.map((part) => part.data)).toEqual([{ run_id: run.run_id, attempt: 1 }, { n: 1 }, { n: 2 }, { n: 3 }]);
    const fromStart = await collect(
      api.client(url).runs.joinStream(threadId, run.run_id, { lastEventId: '-1', streamMode: 'values' }),
    );
    expect(fromStart.map((part) => part.event)).toEqual(['metadata']);
  });

  it('resumes after the last event id on another process, without lost or duplicate events', async () => {
    const gate = newGate();
    api.conversations.script = async (turn) => {
      for (let n = 1; n <= 6; n += 1) {
        await turn.writeEvent('custom', { n });
        if (n === 3) await gate.opened;
      }
    };
    const threadId = await newThread();
    const first = await post(`${url}/threads/${threadId}/runs/stream`, { assistant_id: 'echo', stream_mode: 'custom' });
    const seen = parseEvents(await readUntil(first, (text) => text.includes('"n":2}\n\n')));
    const other = await api.listen();
    const location = first.headers.get('Location') ?? '';
    const second = await fetch(`${other}${location}`, { headers: { 'Last-Event-ID': String(seen.at(-1)?.id) } });
    gate.open();
    const rest = parseEvents(await second.text());
    const numbers = [...seen, ...rest].filter((part) => part.event === 'custom').map((part) => part.data);
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6].map((n) => ({ n })));
    expect(rest.every((part) => part.event !== 'metadata')).toBe(true);
  });

  it('continues without lost events if its API process stops and the SDK reconnects to another one', async () => {
    const gate = newGate();
    api.conversations.script = async (turn) => {
      await turn.writeEvent('custom', { n: 1 });
      await gate.opened;
      await turn.writeEvent('custom', { n: 2 });
    };
    const own = await ApiFixture.start('api_stop');
    own.conversations.script = api.conversations.script;
    const doomed = await own.listen();
    const stable = await own.listen();
    let target = doomed;
    const client = own.client(doomed);
    // The SDK always uses the same address, as behind a load balancer. This `fetch` sends the
    // request to the API process in `target`.
    const balanced = (input: string, init?: RequestInit) => fetch(input.replace(doomed, target), init);
    const { Client } = await import('@langchain/langgraph-sdk');
    const sdk = new Client({ apiUrl: doomed, apiKey: null, callerOptions: { fetch: balanced as typeof fetch } });
    const { thread_id } = await client.threads.create();
    const parts: Part[] = [];
    for await (const part of sdk.runs.stream(thread_id, 'echo', { input: {}, streamMode: 'custom' })) {
      parts.push(part as Part);
      if (parts.length === 2) {
        target = stable;
        await own.stopFirst();
        gate.open();
      }
    }
    expect(parts.map((part) => part.event)).toEqual(['metadata', 'custom', 'custom']);
    expect(parts.slice(1).map((part) => part.data)).toEqual([{ n: 1 }, { n: 2 }]);
    await own.stop();
  });

  it('tells a live client which events a new attempt supersedes, and sends none of these to a later client', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('custom', 'committed');
      const first = await turn.writeEvent('custom', 'lost 1');
      const last = await turn.writeEvent('custom', 'lost 2');
      await turn.nextAttempt([[first, last]]);
      await turn.writeEvent('custom', 'kept');
    };
    const threadId = await newThread();
    const live = await collect(api.client(url).runs.stream(threadId, 'echo', { input: {}, streamMode: 'custom' }));
    const { run_id } = live[0]?.data as { run_id: string };
    expect(live.at(-2)?.event).toBe('metadata');
    expect(live.at(-2)?.data).toEqual({ run_id, attempt: 2, superseded: [[2, 3]] });
    const taken = live.filter((part) => ['2', '3'].includes(part.id?.split('-')[1] ?? ''));
    expect(taken.map((part) => part.data)).toEqual(['lost 1', 'lost 2']);
    const replayed = await collect(api.client(url).runs.joinStream(threadId, run_id));
    expect(replayed.filter((part) => part.event === 'custom').map((part) => part.data)).toEqual(['committed', 'kept']);
  });

  it('also drops events that the old attempt wrote after the new attempt had read the offset of the last event', async () => {
    api.conversations.script = async (turn) => {
      const first = await turn.writeEvent('custom', 'lost');
      await turn.writeEvent('custom', 'last words');
      await turn.nextAttempt([[first, first]], first);
      await turn.writeEvent('custom', 'kept');
    };
    const threadId = await newThread();
    const live = await collect(api.client(url).runs.stream(threadId, 'echo', { input: {}, streamMode: 'custom' }));
    const { run_id } = live[0]?.data as { run_id: string };
    expect(live.at(-2)?.data).toEqual({
      run_id,
      attempt: 2,
      superseded: [
        [1, 1],
        [2, 2],
      ],
    });
    const replayed = await collect(api.client(url).runs.joinStream(threadId, run_id));
    expect(replayed.filter((part) => part.event === 'custom').map((part) => part.data)).toEqual(['kept']);
  });

  it('drops superseded events even if the event that names them comes 2,100 events later', async () => {
    api.conversations.script = async (turn) => {
      const first = await turn.writeEvent('custom', { n: 0 });
      const told = Array.from({ length: 2100 }, (_, n) => turn.writeEvent('custom', { n: n + 1 }));
      const last = (await Promise.all(told)).at(-1) ?? 0;
      await turn.nextAttempt([[first + 1, last - 1]]);
      await turn.writeEvent('custom', { n: 'end' });
    };
    const threadId = await newThread();
    const run = await api.client(url).runs.create(threadId, 'echo', { input: {}, streamMode: 'custom' });
    await api.conversations.idle();
    const parts = await collect(api.client(url).runs.joinStream(threadId, run.run_id));
    expect(parts.map((part) => part.data)).toEqual([
      { run_id: run.run_id, attempt: 1 },
      { n: 0 },
      { n: 2100 },
      { run_id: run.run_id, attempt: 2, superseded: [[2, 2100]] },
      { n: 'end' },
    ]);
  });

  it('sends only the events of the requested checkpoint namespaces', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('custom', 'root');
      await turn.writeEvent('custom|a:1', 'child');
      await turn.writeEvent('custom|a:1|b:2', 'grandchild');
    };
    const run = await api.client(url).runs.create(await newThread(), 'echo', { input: {} });
    await api.conversations.idle();
    const join = (streamNamespaces: string[]) =>
      collect(api.client(url).runs.joinStream(run.thread_id, run.run_id, { streamNamespaces }));
    expect((await join(['a:1'])).map((part) => part.data).slice(1)).toEqual(['child']);
    expect((await join(['', 'a:1|b:2'])).map((part) => part.data).slice(1)).toEqual(['root', 'grandchild']);
  });

  it('sends only the events of its own run', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', { input: turn.run.request.input });
    };
    const threadId = await newThread();
    const streams = [1, 2, 3].map((n) => collect(api.client(url).runs.stream(threadId, 'echo', { input: { n } })));
    const told = await Promise.all(streams);
    expect(told.map((parts) => parts.slice(1).map((part) => part.data))).toEqual(
      [1, 2, 3].map((n) => [{ input: { n } }]),
    );
  });

  it('stops the run when the client disconnects, if the client requested that', async () => {
    const stopped = new Promise<void>((resolve) => {
      api.conversations.script = async (turn) => {
        await untilAborted(turn);
        resolve();
      };
    });
    const threadId = await newThread();
    const gone = new AbortController();
    await post(
      `${url}/threads/${threadId}/runs/stream`,
      { assistant_id: 'echo', on_disconnect: 'cancel' },
      { signal: gone.signal },
    );
    gone.abort();
    await stopped;
  });

  it('lets the run continue when the client disconnects, by default', async () => {
    const gate = newGate();
    api.conversations.script = async (turn) => {
      await gate.opened;
      await turn.writeEvent('values', { aborted: turn.signal.aborted });
    };
    const gone = new AbortController();
    const threadId = await newThread();
    const response = await post(
      `${url}/threads/${threadId}/runs/stream`,
      { assistant_id: 'echo' },
      { signal: gone.signal },
    );
    const runId = String(response.headers.get('Content-Location')).split('/').at(-1) ?? '';
    gone.abort();
    gate.open();
    const parts = await collect(api.client(url).runs.joinStream(threadId, runId));
    expect(parts.at(-1)?.data).toEqual({ aborted: false });
  });

  it('ends when the record of the run is deleted', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', {});
      await untilAborted(turn);
    };
    const quick = await api.listen({ endCheckMs: 10 });
    const threadId = await newThread();
    const stream = api.client(quick).runs.stream(threadId, 'echo', { input: {} });
    const { value } = await stream.next();
    const { run_id } = value?.data as { run_id: string };
    await stream.next();
    await api.stores.threads.removeRun(ANONYMOUS_CALLER, threadId, run_id);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    await api.conversations.cancel(ANONYMOUS_CALLER, threadId, { runIds: 'all', action: 'interrupt' });
  });

  it('refuses an invalid last event id', async () => {
    const run = await api.client(url).runs.create(await newThread(), 'echo', { input: {} });
    const response = await fetch(`${url}/threads/${run.thread_id}/runs/${run.run_id}/stream`, {
      headers: { 'Last-Event-ID': 'abc' },
    });
    expect(response.status).toBe(422);
    expect(await response.text()).toContain('Last-Event-ID: expected an event id');
  });

  it('is also served for a stateless run, under the id of that run', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', { ok: true });
    };
    const run = await api.client(url).runs.create(null, 'echo', { input: {} });
    await api.conversations.idle();
    expect(run.thread_id).toBe(run.run_id);
    const parts = await collect(api.client(url).runs.joinStream(null, run.run_id));
    expect(parts.map((part) => part.event)).toEqual(['metadata', 'values']);
    expect(await collect(api.client(url).runs.stream(null, 'echo', { input: {} }))).toHaveLength(2);
    expect(await status(`${url}/runs/${randomUUID()}/stream`)).toBe(404);
  });
});

async function collect(stream: AsyncIterable<unknown>): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of stream) parts.push(part as Part);
  return parts;
}

function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    ...init,
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json' },
  });
}

async function status(url: string): Promise<number> {
  const response = await fetch(url);
  await response.text();
  return response.status;
}

/** Reads a response until `enough` accepts its text. Then cancels it and returns the text. */
async function readUntil(response: Response, enough: (text: string) => boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (enough(text)) break;
  }
  return text;
}

function parseEvents(text: string): Part[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('id: '))
    .map((block) => {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      return { id: field('id'), event: field('event') ?? '', data: JSON.parse(field('data') ?? 'null') as unknown };
    });
}
