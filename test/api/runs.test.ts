import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Client } from '@langchain/langgraph-sdk';
import { ColloquyError, type RunRequest } from '../../protocol/index.js';
import { completeContext } from '../../api/context.js';
import { sweepStateless } from '../../conversations/delete-thread.js';
import { ANONYMOUS_CALLER, ApiFixture, CHECKPOINT } from '../support/api-server.js';
import { newGate } from '../support/gate.js';
import { untilAborted } from '../support/scripted-conversations.js';

describe('the run API', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;

  beforeAll(async () => {
    api = await ApiFixture.start('api_runs');
    url = await api.listen({ keepAliveMs: 20 });
    client = api.client(url);
  });
  afterAll(() => api.stop());
  beforeEach(() => {
    api.conversations.script = async () => undefined;
    api.errors.length = 0;
  });

  async function newThread(): Promise<string> {
    return (await client.threads.create()).thread_id;
  }

  it('creates a run that is visible at once by its id and in the list', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'echo', { input: { n: 1 }, metadata: { from: 'test' } });
    expect(run).toMatchObject({ thread_id: threadId, status: 'pending', multitask_strategy: 'enqueue' });
    expect(run.metadata).toEqual({ created_by: 'system', from: 'test' });
    expect((run as unknown as { kwargs: object }).kwargs).toMatchObject({ input: { n: 1 }, stream_mode: ['values'] });
    expect((await client.runs.get(threadId, run.run_id)).run_id).toBe(run.run_id);
    expect((await client.runs.list(threadId)).map((one) => one.run_id)).toEqual([run.run_id]);
    gate.open();
    await client.runs.join(threadId, run.run_id);
    expect((await client.runs.get(threadId, run.run_id)).status).toBe('success');
    expect(await client.runs.list(threadId, { status: 'pending' })).toEqual([]);
  });

  it('writes the graph and the assistant of a run into the metadata of the thread', async () => {
    const threadId = await newThread();
    const { assistant_id } = await client.runs.create(threadId, 'echo', { input: {} });
    expect((await client.threads.get(threadId)).metadata).toMatchObject({ graph_id: 'echo', assistant_id });
  });

  it('answers a waiting client with the last values of its run, not with values of a later run', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', { told: turn.run.request.input });
    };
    api.states.finalValuesOf = () => ({ told: 'the state of a later run' });
    const threadId = await newThread();
    const values = await Promise.all([1, 2, 3].map((n) => client.runs.wait(threadId, 'echo', { input: { n } })));
    expect(values).toEqual([1, 2, 3].map((n) => ({ told: { n } })));
  });

  it('answers a waiting client with the state of the thread if the run streamed no values', async () => {
    api.states.finalValuesOf = (run) => ({ of: run.status });
    expect(await client.runs.wait(await newThread(), 'echo', { input: {} })).toEqual({ of: 'success' });
  });

  it('sends newlines to a waiting client until the answer is ready', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    api.states.finalValuesOf = () => ({ done: true });
    const response = await post(`${url}/threads/${await newThread()}/runs/wait`, { assistant_id: 'echo' });
    expect(response.headers.get('Content-Location')).toMatch(/^\/threads\/[^/]+\/runs\/[^/]+$/);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const first = await reader.read();
    expect(new TextDecoder().decode(first.value)).toMatch(/^\n+$/);
    gate.open();
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read())
      rest += new TextDecoder().decode(part.value);
    expect(JSON.parse(rest)).toEqual({ done: true });
  });

  it('sends the error of a failed run to a waiting client', async () => {
    api.conversations.script = async () => ({ error: { error: 'GraphRecursionError', message: 'too deep' } });
    const threadId = await newThread();
    await expect(client.runs.wait(threadId, 'echo', { input: {} })).rejects.toThrow('GraphRecursionError: too deep');
    const values = await client.runs.wait(threadId, 'echo', { input: {}, raiseError: false });
    expect(values).toEqual({ __error__: { error: 'GraphRecursionError', message: 'too deep' } });
    expect((await client.threads.get(threadId)).status).toBe('error');
  });

  it('creates a missing thread only if the request for the run has if_not_exists: create', async () => {
    const threadId = randomUUID();
    await expect(client.runs.create(threadId, 'echo', { input: {} })).rejects.toThrow(
      `HTTP 404: Thread with ID ${threadId} not found`,
    );
    await client.runs.create(threadId, 'echo', { input: {}, ifNotExists: 'create', metadata: { topic: 'x' } });
    expect((await client.threads.get(threadId)).metadata).toMatchObject({ graph_id: 'echo', topic: 'x' });
  });

  it('answers 404 for missing assistants', async () => {
    await expect(client.runs.create(await newThread(), 'nobody', { input: {} })).rejects.toThrow(
      'HTTP 404: Assistant not found',
    );
  });

  it('refuses a run with the strategy reject while another run is active, and keeps no record of the refused run', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    const threadId = await newThread();
    const first = await client.runs.create(threadId, 'echo', { input: {} });
    await expect(client.runs.wait(threadId, 'echo', { input: {}, multitaskStrategy: 'reject' })).rejects.toThrow(
      'HTTP 409',
    );
    gate.open();
    await client.runs.join(threadId, first.run_id);
    expect(await client.runs.list(threadId)).toHaveLength(1);
  });

  it('accepts a run with the strategy reject after the previous run ended, even before the workflow knows of that end', async () => {
    api.conversations.refusals.push(new ColloquyError('conflict', 'busy'), new ColloquyError('conflict', 'busy'));
    await expect(
      client.runs.wait(await newThread(), 'echo', { input: {}, multitaskStrategy: 'reject' }),
    ).resolves.toBeDefined();
  });

  it('answers 429 if the queue is full and 503 if the workflow does not answer; a retry after 503 creates no second run', async () => {
    const threadId = await newThread();
    api.conversations.refusals.push(new ColloquyError('queue_full', 'queue of the thread is full (100 runs)'));
    const full = await post(`${url}/threads/${threadId}/runs`, { assistant_id: 'echo' });
    expect([full.status, await full.text()]).toEqual([429, 'queue of the thread is full (100 runs)']);
    api.conversations.refusals.push(new ColloquyError('unavailable', 'no answer', { retryAfterMs: 1_000 }));
    const key = { 'Idempotency-Key': 'again-1' };
    const lost = await post(`${url}/threads/${threadId}/runs`, { assistant_id: 'echo' }, key);
    expect([lost.status, lost.headers.get('Retry-After')]).toEqual([503, '1']);
    const run = await json(await post(`${url}/threads/${threadId}/runs`, { assistant_id: 'echo' }, key));
    await client.runs.join(threadId, String(run['run_id']));
    expect(await client.runs.list(threadId)).toHaveLength(1);
  });

  it('answers a repeated request with the run of the first request that had the same idempotency key', async () => {
    const told: unknown[] = [];
    api.conversations.script = async (turn) => {
      told.push(turn.run.request.input);
      await turn.writeEvent('values', { n: told.length });
    };
    const threadId = await newThread();
    const body = { assistant_id: 'echo', input: { text: 'pay' } };
    const key = { 'Idempotency-Key': 'pay-42' };
    const at = `${url}/threads/${threadId}/runs`;
    const answers = [await json(await post(`${at}/wait`, body, key)), await json(await post(`${at}/wait`, body, key))];
    const streamed = await (await post(`${at}/stream`, body, key)).text();
    expect(answers).toEqual([{ n: 1 }, { n: 1 }]);
    expect(streamed).toContain('event: values\ndata: {"n":1}');
    expect(told).toHaveLength(1);
    const other = await post(at, { ...body, input: { text: 'pay twice' } }, key);
    expect([other.status, await other.text()]).toEqual([409, expect.stringContaining('Idempotency-Key pay-42')]);
  });

  it('writes graph and assistant into the thread metadata on a repeated request if the first request only stored the run', async () => {
    const threadId = await newThread();
    const { assistant_id: assistantId, graph_id: graphId } = await client.assistants.get('echo');
    const request: RunRequest = { input: {}, config: {}, streamModes: ['values'], streamSubgraphs: false };
    await api.stores.threads.createRun(ANONYMOUS_CALLER, {
      ...{ threadId, runId: randomUUID(), assistantId, graphId, multitaskStrategy: 'enqueue', metadata: {} },
      ...{ key: 'orphan-1', request },
    });
    const body = { assistant_id: 'echo', input: {} };
    await post(`${url}/threads/${threadId}/runs`, body, { 'Idempotency-Key': 'orphan-1' });
    expect((await client.threads.get(threadId)).metadata).toEqual({ graph_id: 'echo', assistant_id: assistantId });
    expect(await client.runs.list(threadId)).toHaveLength(1);
  });

  it('answers a repeated request for a stateless run with the run of the first request with the same key', async () => {
    api.states.finalValuesOf = (run) => ({ run: run.runId });
    const key = { 'Idempotency-Key': 'stateless-1' };
    const body = { assistant_id: 'echo', input: {} };
    const first = await json(await post(`${url}/runs/wait`, body, key));
    expect(await json(await post(`${url}/runs/wait`, body, key))).toEqual(first);
    expect(await json(await post(`${url}/runs/wait`, body))).not.toEqual(first);
  });

  it('deletes the temporary threads of stateless runs some time after these runs have ended', async () => {
    const swept = await client.runs.create(null, 'echo', { input: {} });
    const kept = await client.runs.create(null, 'echo', { input: {}, onCompletion: 'keep' as never });
    const gate = newGate();
    await api.conversations.idle();
    api.conversations.script = () => gate.opened;
    const working = await client.runs.create(null, 'echo', { input: {} });
    const context = completeContext(api.dependencies());
    expect(await sweepStateless(context, ANONYMOUS_CALLER, new Date(Date.now() - 60_000))).toBe(0);
    await sweepStateless(context, ANONYMOUS_CALLER, new Date(Date.now() + 60_000));
    await expect(client.threads.get(swept.thread_id)).rejects.toThrow('HTTP 404');
    expect((await client.threads.get(kept.thread_id)).thread_id).toBe(kept.thread_id);
    expect((await client.runs.get(working.thread_id, working.run_id)).run_id).toBe(working.run_id);
    gate.open();
  });

  it('cancels a run, and waits for its end if the client requests that', async () => {
    api.conversations.script = untilAborted;
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'echo', { input: {} });
    await client.runs.cancel(threadId, run.run_id, true);
    expect((await client.runs.get(threadId, run.run_id)).status).toBe('interrupted');
    await client.runs.cancel(threadId, run.run_id, false, 'rollback');
    await expect(client.runs.cancel(threadId, randomUUID())).rejects.toThrow('HTTP 404: Run not found');
  });

  it('with cancel_on_disconnect, cancels a run when the client that waits for the run disconnects', async () => {
    const stopped = newGate();
    api.conversations.script = async (turn) => {
      await untilAborted(turn);
      stopped.open();
    };
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'echo', { input: {} });
    const leaving = new AbortController();
    const joined = client.runs.join(threadId, run.run_id, { cancelOnDisconnect: true, signal: leaving.signal });
    const left = expect(joined).rejects.toThrow();
    await fetch(`${url}/ok`);
    setImmediate(() => leaving.abort());
    await left;
    await Promise.race([stopped.opened, client.runs.join(threadId, run.run_id)]);
  });

  it('deletes only a run that has ended', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'echo', { input: {} });
    await expect(client.runs.delete(threadId, run.run_id)).rejects.toThrow('HTTP 409');
    gate.open();
    await client.runs.join(threadId, run.run_id);
    await client.runs.delete(threadId, run.run_id);
    await expect(client.runs.get(threadId, run.run_id)).rejects.toThrow('HTTP 404: Run not found');
  });

  it('keeps the options of the client’s request in the run, but sets the ids in `configurable` itself', async () => {
    const seen: RunRequest[] = [];
    api.conversations.script = async (turn) => {
      seen.push(turn.run.request);
    };
    const threadId = await newThread();
    await client.runs.wait(threadId, 'echo', {
      command: { resume: { ok: true }, goto: { node: 'a', input: 1 } },
      config: { tags: ['t'], recursion_limit: 7, configurable: { tone: 'dry', run_id: 'mine' } },
      context: { tier: 'gold' },
      checkpoint: { checkpoint_id: CHECKPOINT, checkpoint_ns: '', checkpoint_map: {} },
      interruptBefore: ['a'],
      interruptAfter: '*',
      durability: 'sync',
    });
    const [run] = await client.runs.list(threadId);
    expect(seen[0]).toEqual({
      command: { resume: { ok: true }, goto: { node: 'a', input: 1 } },
      config: {
        tags: ['t'],
        recursion_limit: 7,
        configurable: {
          tone: 'dry',
          thread_id: threadId,
          run_id: run?.run_id,
          assistant_id: run?.assistant_id,
          graph_id: 'echo',
          'user-agent': 'node',
        },
      },
      context: { tier: 'gold' },
      checkpoint: { checkpointId: CHECKPOINT, checkpointMap: {} },
      streamModes: ['values'],
      streamSubgraphs: false,
      interruptBefore: ['a'],
      interruptAfter: '*',
    });
  });

  it('reports an internal error to the operator and hides its details from the client', async () => {
    api.conversations.refusals.push(Object.assign(new Error('secret detail'), { name: 'Error' }) as never);
    const response = await post(`${url}/threads/${await newThread()}/runs`, { assistant_id: 'echo' });
    expect([response.status, await response.text()]).toEqual([500, 'internal error']);
    expect(api.errors).toHaveLength(1);
  });
});

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}
