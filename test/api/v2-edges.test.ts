import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { ColloquyError, encodeFence } from '../../protocol/index.js';
import { offsetOf } from '../../api/protocol-v2/events.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';
import { ProtocolReader, command, dataOf, isTerminal, outline } from '../support/protocol-reader.js';
import { untilAborted } from '../support/scripted-conversations.js';

const ALL = ['values', 'updates', 'messages', 'tools', 'lifecycle', 'input', 'checkpoints', 'tasks', 'custom'];

describe('protocol v2', () => {
  let fixture: ApiFixture;
  let url: string;

  beforeAll(async () => {
    fixture = await ApiFixture.start('v2_edges');
    url = await fixture.listen();
  });
  afterAll(() => fixture.stop());
  afterEach(async () => {
    await fixture.conversations.idle();
    fixture.conversations.script = async () => undefined;
    expect(fixture.errors.splice(0)).toEqual([]);
  });

  const start = (threadId: string, input: unknown = {}, more: object = {}) =>
    command(url, threadId, { id: 1, method: 'run.start', params: { assistant_id: 'echo', input, ...more } });
  const read = (threadId: string, more: object = {}) => ProtocolReader.open(url, threadId, { channels: ALL, ...more });
  const begun = (id: string) => ({ event: 'message-start', id, run_id: id });
  const delta = (id: string, text: string) => ({
    event: 'content-block-delta',
    index: 0,
    delta: { type: 'text-delta', text },
    run_id: id,
  });

  it('tells a live client that the text of a failed attempt is superseded; later clients do not get this text', async () => {
    const threadId = randomUUID();
    const live = await read(threadId);
    fixture.conversations.script = async (turn) => {
      await turn.writeEvent('values', { n: 0 });
      const first = await turn.writeEvent('messages|model:1', begun('dead'));
      const last = await turn.writeEvent('messages|model:1', delta('dead', 'half of an an'));
      await live.until(({ params }) => dataOf(params).event === 'content-block-delta');
      await turn.nextAttempt([[first, last]]);
      await turn.writeEvent('messages|model:1', begun('alive'));
      await turn.writeEvent('messages|model:1', { event: 'message-finish', run_id: 'alive' });
      await turn.writeEvent('values', { n: 1 });
    };
    await start(threadId);
    const heard = await live.until(isTerminal);
    expect(heard.map(outline)).toEqual([
      'lifecycle running',
      'values',
      'lifecycle model: started',
      'messages model: message-start',
      'messages model: content-block-delta',
      'lifecycle running',
      'messages model: error',
      'lifecycle model: started',
      'messages model: message-start',
      'messages model: message-finish',
      'values',
      'lifecycle model: completed',
      'lifecycle completed',
    ]);
    const restart = heard[5];
    const superseded = heard.slice(2, 5);
    expect(restart?.params.data).toMatchObject({ event: 'running', attempt: 2 });
    const [[from, to]] = (restart?.params.data as { superseded: [[number, number]] }).superseded;
    expect(superseded.every(({ seq }) => seq >= from && seq <= to)).toBe(true);
    expect(heard[6]?.params.data).toMatchObject({ event: 'error', code: 'superseded', run_id: 'dead' });
    live.close();

    const later = await read(threadId);
    const replayed = await later.until(isTerminal);
    expect(replayed).toEqual(heard.filter((event) => !superseded.includes(event) && event !== heard[6]));
    later.close();
    const resumed = await read(threadId, { since: superseded[2]?.seq });
    expect(await resumed.until(isTerminal)).toEqual([restart, ...heard.slice(7)]);
    resumed.close();
  });

  it('sends the end of a cancelled run with the id of that run', async () => {
    const threadId = randomUUID();
    const reader = await read(threadId);
    fixture.conversations.script = async (turn) => {
      await turn.writeEvent('values', { n: 1 });
      await untilAborted(turn);
    };
    await start(threadId);
    const [running] = await reader.until(({ method }) => method === 'lifecycle');
    await fixture.conversations.cancel(ANONYMOUS_CALLER, threadId, { runIds: 'all', action: 'interrupt' });
    const events = await reader.until(isTerminal);
    expect(events.map(outline)).toEqual(['lifecycle running', 'values', 'lifecycle interrupted']);
    expect(running?.event_id).toMatch(/^synth:[0-9a-f-]{36}:\d+-\d+$/);
    reader.close();
  });

  it('sends nothing about a queued run that is cancelled while another run is active', async () => {
    const threadId = randomUUID();
    const waiting = { threadId, runId: randomUUID(), fence: encodeFence({ run: 1, step: 1, attempt: 1 }) };
    fixture.conversations.script = async (turn) => {
      await turn.writeEvent('values', { n: 1 });
      const { runId, ...run } = { ...turn.run, runId: waiting.runId };
      await fixture.stores.threads.createRun(ANONYMOUS_CALLER, { ...run, runId });
      const log = fixture.stores.events.open(ANONYMOUS_CALLER, waiting);
      log.append({ ns: '', event: 'run.ended', data: JSON.stringify({ run_id: runId, status: 'interrupted' }) });
      await log.close();
      await turn.nextAttempt([]);
      await turn.writeEvent('values', { n: 2 });
    };
    await start(threadId);
    const reader = await read(threadId);
    const told = (await reader.until(isTerminal)).map(outline);
    expect(told).toEqual(['lifecycle running', 'values', 'lifecycle running', 'values', 'lifecycle completed']);
    reader.close();
  });

  it('sends the end of a run only once, even if two attempts wrote an event for it', async () => {
    const threadId = randomUUID();
    fixture.conversations.script = async (turn) => {
      await turn.writeEvent('values', { n: 1 });
      await turn.writeEvent('run.ended', { run_id: turn.run.runId, status: 'success' });
    };
    await start(threadId);
    await fixture.conversations.idle();
    fixture.conversations.script = async (turn) => void (await turn.writeEvent('values', { n: 2 }));
    await start(threadId);
    const reader = await read(threadId);
    const events = await reader.until(({ params }) => (dataOf(params) as { n?: number }).n === 2);
    const first = ['lifecycle running', 'values', 'lifecycle completed'];
    expect(events.map(outline)).toEqual([...first, 'lifecycle running', 'values']);
    reader.close();
  });

  it('sends no events of a deleted run', async () => {
    const threadId = randomUUID();
    fixture.conversations.script = async (turn) => void (await turn.writeEvent('values', { n: 1 }));
    const { result } = (await start(threadId)) as { result: { run_id: string } };
    await fixture.conversations.idle();
    await fixture.stores.threads.removeRun(ANONYMOUS_CALLER, threadId, result.run_id);
    await start(threadId);
    const reader = await read(threadId);
    const events = await reader.until(isTerminal);
    expect(events.map(outline)).toEqual(['lifecycle running', 'values', 'lifecycle completed']);
    expect(events[0]?.event_id).not.toContain(result.run_id);
    reader.close();
  });

  it("answers failures with the protocol's error codes", async () => {
    const threadId = randomUUID();
    const ask = (method: string, params?: unknown) => command(url, threadId, { id: 7, method, params });
    expect(await ask('nothing.such')).toEqual({
      type: 'error',
      id: 7,
      error: 'unknown_command',
      message: 'unknown command "nothing.such"',
    });
    expect(await ask('input.inject', { namespace: [], message: { role: 'user', content: 'x' } })).toMatchObject({
      error: 'no_such_run',
    });
    expect(await ask('run.start', {})).toMatchObject({
      error: 'invalid_argument',
      message: expect.stringMatching(/assistant_id/),
    });
    expect(await ask('run.start', { assistant_id: 'echo', webhook: 'x' })).toMatchObject({
      message: expect.stringMatching(/webhook: unknown/),
    });
    expect(await ask('run.start', { assistant_id: 'nobody' })).toMatchObject({
      message: expect.stringMatching(/"nobody"/),
    });
    expect(await ask('run.start', { assistant_id: 'echo', langsmith_tracer: {} })).toMatchObject({
      error: 'not_supported',
    });
    expect(
      await ask('run.start', { assistant_id: 'echo', multitask_strategy: 'reject', multitaskStrategy: 'enqueue' }),
    ).toMatchObject({ error: 'invalid_argument', message: expect.stringMatching(/multitaskStrategy/) });
    expect(await ask('input.respond', { namespace: [], interrupt_id: 'x', response: 1 })).toMatchObject({
      error: 'no_such_run',
    });
    expect(await ask('state.get', { namespace: [] })).toMatchObject({ error: 'no_such_run' });
    expect(await ask('agent.getTree', {})).toMatchObject({ error: 'no_such_run' });
    expect(await ask('subscription.subscribe', { channels: ['values'] })).toMatchObject({ error: 'not_supported' });
    fixture.conversations.refusals.push(new ColloquyError('conflict', 'the thread is busy'));
    expect(await ask('run.start', { assistant_id: 'echo' })).toMatchObject({
      error: 'invalid_argument',
      message: 'the thread is busy',
    });
  });

  it('refuses invalid commands and filters', async () => {
    const threadId = randomUUID();
    expect(await command(url, threadId, { method: 'run.start' })).toMatchObject({
      status: 422,
      text: expect.stringMatching(/id/),
    });
    expect(await command(url, 'no-uuid', { id: 1, method: 'run.start' })).toMatchObject({ status: 422 });
    await expect(ProtocolReader.open(url, threadId, { channels: ['nonsense'] })).rejects.toThrow(
      /channels.0.*nonsense/,
    );
    await expect(ProtocolReader.open(url, threadId, { channels: ['values'], more: 1 })).rejects.toThrow(/422.*more/);
    await expect(
      ProtocolReader.open(url, threadId, { channels: ['values'] }, { 'last-event-id': 'yesterday' }),
    ).rejects.toThrow(/Last-Event-ID/);
  });

  describe('a WebSocket of protocol v2', () => {
    const connect = (threadId: string, options: object = {}, base = url) =>
      new WebSocket(`${base.replace('http', 'ws')}/threads/${threadId}/stream/events`, options);
    /** Resolves to the next `count` messages that a socket receives. */
    function hear(socket: WebSocket, count: number): Promise<Record<string, unknown>[]> {
      const heard: Record<string, unknown>[] = [];
      return new Promise((resolve) => {
        const take = (data: Buffer) => {
          heard.push(JSON.parse(data.toString()) as Record<string, unknown>);
          if (heard.length < count) return;
          socket.off('message', take);
          resolve(heard);
        };
        socket.on('message', take);
      });
    }
    const send = (socket: WebSocket, message: unknown) =>
      socket.send(typeof message === 'string' ? message : JSON.stringify(message));

    it('accepts a subscription before the first run, keeps it over several runs, and can end it', async () => {
      const threadId = randomUUID();
      fixture.conversations.script = async (turn) => void (await turn.writeEvent('values', { n: 1 }));
      const socket = connect(threadId);
      await once(socket, 'open');
      send(socket, { id: 1, method: 'subscription.subscribe', params: { channels: ['values', 'lifecycle'] } });
      const [subscribed] = await hear(socket, 1);
      expect(subscribed).toMatchObject({ type: 'success', id: 1, meta: { applied_through_seq: 0 } });
      const events = hear(socket, 6);
      await start(threadId);
      await start(threadId);
      const told = (await events).map((event) => outline(event as never));
      expect(told).toEqual([...told.slice(0, 3), ...told.slice(0, 3)]);
      expect(told.slice(0, 3)).toEqual(['lifecycle running', 'values', 'lifecycle completed']);
      const { subscription_id } = subscribed?.['result'] as { subscription_id: string };
      send(socket, { id: 2, method: 'subscription.unsubscribe', params: { subscription_id } });
      send(socket, { id: 3, method: 'subscription.unsubscribe', params: { subscription_id } });
      const [first, second] = await hear(socket, 2);
      expect([first, second]).toMatchObject([
        { id: 2, type: 'success' },
        { id: 3, error: 'no_such_subscription' },
      ]);
      socket.close();
    });

    it('resumes after the event that the client names', async () => {
      const threadId = randomUUID();
      fixture.conversations.script = async (turn) => void (await turn.writeEvent('values', { n: 1 }));
      await start(threadId);
      const reader = await read(threadId);
      const events = await reader.until(isTerminal);
      reader.close();
      const socket = connect(threadId);
      await once(socket, 'open');
      const params = { channels: ALL, since: events[0]?.seq };
      const heard = hear(socket, events.length);
      send(socket, { id: 1, method: 'subscription.subscribe', params });
      const [, ...rest] = await heard;
      expect(rest).toEqual(events.slice(1));
      socket.close();
    });

    it('restores lost subscriptions by their ids on another process, and resumes after the last event id', async () => {
      const threadId = randomUUID();
      fixture.conversations.script = async (turn) => void (await turn.writeEvent('values', { n: 1 }));
      const { run_id: runId } = (await start(threadId))['result'] as { run_id: string };
      const reader = await read(threadId);
      const events = await reader.until(isTerminal);
      const first = connect(threadId);
      await once(first, 'open');
      const filters = [{ channels: ['values'] }, { channels: ['lifecycle'], namespaces: [[]], depth: 0 }];
      const ids = [];
      for (const params of filters) {
        send(first, { id: 1, method: 'subscription.subscribe', params });
        const [{ result } = {}] = await hear(first, 1);
        ids.push((result as { subscription_id: string }).subscription_id);
      }
      first.terminate();
      const socket = connect(threadId, {}, await fixture.listen());
      await once(socket, 'open');
      const heard = hear(socket, events.length);
      const params = { run_id: runId, last_event_id: events[0]?.event_id, subscriptions: ids };
      send(socket, { id: 2, method: 'subscription.reconnect', params });
      const [response, ...rest] = await heard;
      expect(response).toMatchObject({
        type: 'success',
        result: { restored: true, current_namespaces: [{ namespace: [], status: 'completed' }] },
      });
      expect(rest).toEqual(events.slice(1));
      // A reconnect does not change subscriptions that are still open.
      send(socket, { id: 3, method: 'subscription.reconnect', params });
      send(socket, { id: 4, method: 'subscription.unsubscribe', params: { subscription_id: ids[1] } });
      expect(await hear(socket, 2)).toMatchObject([
        { id: 3, result: { restored: true } },
        { id: 4, type: 'success' },
      ]);
      const next = hear(socket, 1);
      await start(threadId);
      expect((await next).map((event) => outline(event as never))).toEqual(['values']);
      reader.close();
      socket.close();
    });

    it('answers a reconnect with `restored: false` if events are missing, or an error if the subscription or run is unknown', async () => {
      const threadId = randomUUID();
      fixture.conversations.script = async (turn) => void (await turn.writeEvent('values', { n: 1 }));
      const { run_id: runId } = (await start(threadId))['result'] as { run_id: string };
      const reader = await read(threadId);
      const events = await reader.until(isTerminal);
      reader.close();
      const gone = await fixture.stores.db
        .collection('events')
        .deleteMany({ log: `${ANONYMOUS_CALLER.tenant}/${threadId}`, seq: { $lt: offsetOf(events.at(-1)?.seq ?? 0) } });
      expect(gone.deletedCount).toBeGreaterThan(0);
      const socket = connect(threadId);
      await once(socket, 'open');
      const lost = { run_id: runId, last_event_id: events[0]?.event_id };
      send(socket, { id: 1, method: 'subscription.reconnect', params: lost });
      send(socket, {
        id: 2,
        method: 'subscription.reconnect',
        params: { ...lost, last_event_id: events.at(-1)?.event_id },
      });
      send(socket, { id: 3, method: 'subscription.reconnect', params: { ...lost, subscriptions: ['sub-1'] } });
      send(socket, { id: 4, method: 'subscription.reconnect', params: { run_id: randomUUID() } });
      expect(await hear(socket, 4)).toMatchObject([
        { id: 1, result: { restored: false } },
        { id: 2, result: { restored: true } },
        { id: 3, error: 'no_such_subscription' },
        { id: 4, error: 'no_such_run' },
      ]);
      socket.close();
    });

    it('sends an error for each invalid command and stays open', async () => {
      const socket = connect(randomUUID());
      await once(socket, 'open');
      send(socket, 'no json');
      send(socket, { method: 'run.start' });
      send(socket, { id: 3, method: 'subscription.reconnect', params: { run_id: randomUUID() } });
      expect(await hear(socket, 3)).toMatchObject([
        { type: 'error', id: null, error: 'invalid_argument', message: expect.stringMatching(/JSON/) },
        { type: 'error', id: null, error: 'invalid_argument', message: expect.stringMatching(/id/) },
        { type: 'error', id: 3, error: 'no_such_run' },
      ]);
      socket.close();
    });

    it('is closed with code 4000 plus an HTTP status, such as 4403, if the server refuses it; an unknown path gets HTTP 404', async () => {
      const [code, reason] = (await once(connect('no-uuid'), 'close')) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([4422, expect.stringContaining('thread_id')]);
      const guarded = await fixture.listen({ corsOrigins: ['https://chat.example'] });
      const foreign = connect(randomUUID(), { origin: 'https://elsewhere.example' }, guarded);
      expect((await once(foreign, 'close'))[0]).toBe(4403);
      const [error] = (await once(new WebSocket(`${url.replace('http', 'ws')}/elsewhere`), 'error')) as [Error];
      expect(error.message).toContain('404');
    });
  });
});
