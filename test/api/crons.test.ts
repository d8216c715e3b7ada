import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Client, Cron } from '@langchain/langgraph-sdk';
import { ScheduleNotFoundError } from '@temporalio/client';
import { completeContext } from '../../api/context.js';
import { updateCron } from '../../conversations/change-cron.js';
import { cronScheduleId } from '../../protocol/index.js';
import { cronAnswer } from '../../protocol/schemas/index.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';

const NEVER_SOON = '0 9 1 1 *';

describe('crons', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;
  const made: string[] = [];

  beforeAll(async () => {
    api = await ApiFixture.start('api_crons');
    url = await api.listen();
    client = api.client(url);
  });
  afterAll(async () => {
    for (const cronId of made) await api.schedules.remove(ANONYMOUS_CALLER, cronId);
    await api.stop();
  });

  const schedule = (cronId: string) => api.temporal.schedule.getHandle(cronScheduleId(ANONYMOUS_CALLER.tenant, cronId));

  async function create(payload: Parameters<Client['crons']['create']>[1]): Promise<Cron> {
    const cron = (await client.crons.create('echo', payload)) as Cron;
    made.push(cron.cron_id);
    return cron;
  }

  function send(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${url}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  }

  async function refusal(method: string, path: string, body: unknown): Promise<[number, string]> {
    const res = await send(method, path, body);
    return [res.status, await res.text()];
  }

  it('are announced by the flag `crons` in the answer of /info', async () => {
    expect(await (await send('GET', '/info')).json()).toMatchObject({ flags: { crons: true } });
  });

  it('can be created without a thread; all fields are stored, and a Temporal Schedule is created', async () => {
    const cron = await create({
      schedule: '30 9 * * MON-FRI',
      timezone: 'Asia/Kolkata',
      endTime: '2999-12-31T00:00:00+01:00',
      input: { log: ['hi'] },
      config: { tags: ['a'], recursion_limit: 7 },
      context: { lang: 'en' },
      metadata: { team: 'x' },
      interruptBefore: ['ask'],
      interruptAfter: '*' as never,
      streamMode: ['values', 'updates'],
      streamSubgraphs: true,
      streamResumable: true,
      durability: 'sync',
      multitaskStrategy: 'enqueue',
      onRunCompleted: 'keep',
    });
    expect(cron).toEqual({
      cron_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      assistant_id: (await client.assistants.get('echo')).assistant_id,
      thread_id: null,
      on_run_completed: 'keep',
      user_id: null,
      schedule: '30 9 * * MON-FRI',
      timezone: 'Asia/Kolkata',
      end_time: '2999-12-30T23:00:00.000Z',
      enabled: true,
      // 09:30 in India is 04:00 UTC.
      next_run_date: expect.stringMatching(/T04:00:00\.000Z$/),
      payload: {
        assistant_id: cron.assistant_id,
        schedule: '30 9 * * MON-FRI',
        input: { log: ['hi'] },
        config: { tags: ['a'], recursion_limit: 7 },
        context: { lang: 'en' },
        interrupt_before: ['ask'],
        interrupt_after: '*',
        stream_mode: ['values', 'updates'],
        stream_subgraphs: true,
        stream_resumable: true,
        durability: 'sync',
        multitask_strategy: 'enqueue',
      },
      metadata: { team: 'x' },
      schedule_options: { overlap: 'allow_all', catchup_window_seconds: 600, jitter_seconds: 0 },
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect(new Date(cron.next_run_date ?? 0).getTime()).toBeGreaterThan(Date.now());
    expect(await (await send('GET', `/runs/crons/${cron.cron_id}`)).json()).toEqual(cron);
    const { spec, policies, state, action } = await schedule(cron.cron_id).describe();
    expect(spec).toMatchObject({ timezone: 'Asia/Kolkata', endAt: new Date('2999-12-30T23:00:00Z') });
    expect(policies).toMatchObject({ overlap: 'ALLOW_ALL', catchupWindow: 600_000 });
    expect(state.paused).toBe(false);
    // The Schedule contains only the cron's id. What its runs do is only in the cron's record.
    expect(action.args).toEqual([{ tenant: 'default', cronId: cron.cron_id }]);
  });

  it('can be created for an existing thread, and are deleted with that thread', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const cron = await client.crons.createForThread(threadId, 'echo', { schedule: NEVER_SOON, enabled: false });
    made.push(cron.cron_id);
    expect(cron).toMatchObject({ thread_id: threadId, enabled: false, next_run_date: null });
    expect('on_run_completed' in cron).toBe(false);
    expect((await schedule(cron.cron_id).describe()).state.paused).toBe(true);
    await client.threads.delete(threadId);
    await expect(schedule(cron.cron_id).describe()).rejects.toThrow(ScheduleNotFoundError);
    expect((await send('GET', `/runs/crons/${cron.cron_id}`)).status).toBe(404);
    await expect(client.crons.createForThread(threadId, 'echo', { schedule: NEVER_SOON })).rejects.toThrow(
      `HTTP 404: Thread with ID ${threadId} not found`,
    );
  });

  it('accept options of their Temporal Schedule: overlap policy, catchup window and jitter', async () => {
    const options = { overlap: 'buffer_one', catchup_window_seconds: 3600, jitter_seconds: 30 };
    const created = await send('POST', '/runs/crons', {
      assistant_id: 'echo',
      schedule: '@every 90s',
      schedule_options: options,
    });
    const cron = (await created.json()) as Cron;
    made.push(cron.cron_id);
    expect(cron).toMatchObject({ schedule: '@every 90s', schedule_options: options });
    const { spec, policies } = await schedule(cron.cron_id).describe();
    expect(spec).toMatchObject({ intervals: [{ every: 90_000 }], jitter: 30_000 });
    expect(policies).toMatchObject({ overlap: 'BUFFER_ONE', catchupWindow: 3_600_000 });
    const patched = await send('PATCH', `/runs/crons/${cron.cron_id}`, {
      schedule_options: { overlap: 'skip', jitter_seconds: null },
    });
    expect(await patched.json()).toMatchObject({
      schedule_options: { overlap: 'skip', catchup_window_seconds: 3600, jitter_seconds: 0 },
    });
    expect((await schedule(cron.cron_id).describe()).policies.overlap).toBe('SKIP');
  });

  it('keep the fields that an update omits, and lose the fields that it sets to null; a disabled cron has no next run', async () => {
    const { cron_id: cronId } = await create({
      schedule: NEVER_SOON,
      endTime: '2999-01-01T00:00:00Z',
      input: { n: 1 },
      context: { k: 1 },
      metadata: { a: 1, b: 1 },
    });
    const changed = await client.crons.update(cronId, {
      schedule: '0 12 * * *',
      timezone: 'America/New_York',
      endTime: null,
      input: { n: 2 },
      metadata: { b: 2 },
      onRunCompleted: 'keep',
    });
    expect(changed).toMatchObject({
      schedule: '0 12 * * *',
      timezone: 'America/New_York',
      end_time: null,
      payload: { schedule: '0 12 * * *', input: { n: 2 }, context: { k: 1 } },
      metadata: { a: 1, b: 2 },
      on_run_completed: 'keep',
      next_run_date: expect.stringMatching(/T1[67]:00:00\.000Z$/),
    });
    const { spec } = await schedule(cronId).describe();
    expect([spec.timezone, spec.endAt]).toEqual(['America/New_York', undefined]);
    expect(await client.crons.update(cronId, { enabled: false })).toMatchObject({
      enabled: false,
      next_run_date: null,
    });
    expect((await schedule(cronId).describe()).state.paused).toBe(true);
    expect((await client.crons.update(cronId, { enabled: true })).next_run_date).toBe(changed.next_run_date);
    const ended = await client.crons.update(cronId, { endTime: '2001-01-01T00:00:00Z', context: null as never });
    expect(ended).toMatchObject({ end_time: '2001-01-01T00:00:00.000Z', next_run_date: null, enabled: true });
    expect('context' in ended.payload).toBe(false);
  });

  it('are deleted with their Schedule', async () => {
    const { cron_id: cronId } = await create({ schedule: NEVER_SOON });
    await client.crons.delete(cronId);
    await expect(schedule(cronId).describe()).rejects.toThrow(ScheduleNotFoundError);
    await expect(client.crons.delete(cronId)).rejects.toThrow(`HTTP 404: Cron not found: ${cronId}`);
    await expect(client.crons.update(cronId, { enabled: true })).rejects.toThrow('HTTP 404: Cron not found');
    expect((await send('GET', `/runs/crons/${cronId}`)).status).toBe(404);
    expect(
      (
        await refusal('POST', `/runs/crons/${cronId}/backfill`, {
          start: '2024-01-01T00:00:00Z',
          end: '2024-01-02T00:00:00Z',
        })
      )[0],
    ).toBe(404);
  });

  it('can be searched and counted', async () => {
    const team = randomUUID();
    const { thread_id: threadId } = await client.threads.create();
    const a = await create({ schedule: '0 0 1 1 *', metadata: { team } });
    const b = await client.crons.createForThread(threadId, 'other', {
      schedule: '@every 1d',
      metadata: { team, n: 2 },
    });
    const c = await create({ schedule: NEVER_SOON, metadata: { team }, enabled: false });
    made.push(b.cron_id);
    const search = async (query: Parameters<Client['crons']['search']>[0]) =>
      (await client.crons.search({ metadata: { team }, ...query })).map((cron) => cron.cron_id);
    expect(await search({})).toEqual([c.cron_id, b.cron_id, a.cron_id]);
    expect(await search({ sortBy: 'created_at', sortOrder: 'asc', limit: 2 })).toEqual([a.cron_id, b.cron_id]);
    expect(await search({ enabled: true, sortBy: 'next_run_date', sortOrder: 'asc' })).toEqual([b.cron_id, a.cron_id]);
    expect(await search({ threadId })).toEqual([b.cron_id]);
    expect(await search({ assistantId: 'other' })).toEqual([b.cron_id]);
    expect(await search({ assistantId: a.assistant_id })).toEqual([c.cron_id, a.cron_id]);
    expect(await search({ metadata: { team, n: 2 } })).toEqual([b.cron_id]);
    expect(await client.crons.search({ metadata: { team }, threadId, select: ['cron_id', 'schedule'] })).toEqual([
      { cron_id: b.cron_id, schedule: '@every 1d' },
    ]);
    expect(await client.crons.count({ metadata: { team } })).toBe(3);
    expect(await client.crons.count({ metadata: { team }, assistantId: 'other' })).toBe(1);
    const page = await send('POST', '/runs/crons/search', { metadata: { team }, limit: 2 });
    expect([page.headers.get('X-Pagination-Total'), page.headers.get('X-Pagination-Next')]).toEqual(['3', '2']);
    await client.threads.delete(threadId);
    expect(await client.crons.count({ metadata: { team } })).toBe(2);
  });

  it('are not stored if a field is invalid; the error names the field and its value', async () => {
    const before = await client.crons.count();
    const body = { assistant_id: 'echo', schedule: NEVER_SOON };
    const faults: [body: object, message: string][] = [
      [{ assistant_id: 'echo' }, 'schedule: '],
      [{ ...body, schedule: '61 * * * *' }, 'schedule: minute is "61"; expected 0 to 59; got "61 * * * *"'],
      [{ ...body, schedule: '0 0 * * * *' }, 'schedule: expected five fields'],
      [{ ...body, timezone: 'Mars/Olympus' }, 'timezone: expected the name of an IANA time zone'],
      [{ ...body, timezone: 'europe/berlin' }, 'got "europe/berlin"'],
      [{ ...body, end_time: 'tomorrow' }, 'end_time: '],
      [{ ...body, enabled: 'yes' }, 'enabled: '],
      [{ ...body, on_run_completed: 'burn' }, 'on_run_completed: '],
      [{ ...body, multitask_strategy: 'fight' }, 'multitask_strategy: '],
      [{ ...body, langsmith_tracer: {} }, 'langsmith_tracer: unknown field'],
      [{ ...body, after_seconds: 5 }, 'after_seconds: unknown field'],
      [{ ...body, schedule_options: { overlap: 'terminate_other' } }, 'schedule_options.overlap: '],
      [{ ...body, schedule_options: { catchup_window_seconds: 1 } }, 'schedule_options.catchup_window_seconds: '],
      [{ ...body, schedule_options: { pause: 1 } }, 'schedule_options.pause: unknown field'],
      [{ ...body, input: { a: 1 }, command: { goto: 'ask' } }, 'input: a run takes an input or a command, not both'],
      [{ ...body, config: { configurable: { __pregel_x: 1 } } }, 'config.configurable.__pregel_x: '],
    ];
    for (const [given, message] of faults) {
      const [status, text] = await refusal('POST', '/runs/crons', given);
      expect([status, text]).toEqual([422, expect.stringContaining(message)]);
    }
    expect((await refusal('POST', '/runs/crons', { ...body, assistant_id: 'nobody' }))[0]).toBe(404);
    const { thread_id: threadId } = await client.threads.create();
    expect(await refusal('POST', `/threads/${threadId}/runs/crons`, { ...body, on_run_completed: 'delete' })).toEqual([
      422,
      'on_run_completed: not served here: a thread outlives its runs; delete it by its id; got "delete"',
    ]);
    expect(await client.crons.count()).toBe(before);
  });

  it('are refused if they would fire more often than the server allows', async () => {
    const often = (schedule: string) => ({ assistant_id: 'echo', schedule });
    const message = 'schedule: has firings 59 s apart; expected 60 s or more; got "@every 59s"';
    expect(await refusal('POST', '/runs/crons', often('@every 59s'))).toEqual([422, message]);
    const { thread_id: threadId } = await client.threads.create();
    expect(await refusal('POST', `/threads/${threadId}/runs/crons`, often('@every 59s'))).toEqual([422, message]);
    const cron = await create({ schedule: '@every 60s', enabled: false });
    expect(await refusal('PATCH', `/runs/crons/${cron.cron_id}`, { schedule: '@every 59s' })).toEqual([422, message]);
    const hourly = await api.listen({ cronMinIntervalSeconds: 3_600 });
    const post = (schedule: string) =>
      fetch(`${hourly}/runs/crons`, { method: 'POST', body: JSON.stringify({ ...often(schedule), enabled: false }) });
    const refused = await post('0,59 * * * *');
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('has firings 60 s apart')]);
    // The server checks its limit only for a new schedule. So the other fields of a cron can be
    // changed although its stored schedule fires too often.
    const kept = await fetch(`${hourly}/runs/crons/${cron.cron_id}`, {
      method: 'PATCH',
      body: JSON.stringify({ metadata: { kept: true } }),
    });
    expect([kept.status, ((await kept.json()) as Cron).schedule]).toEqual([200, '@every 60s']);
  });

  it('are unchanged after an invalid update', async () => {
    const cron = await create({ schedule: NEVER_SOON, input: { n: 1 } });
    const faults: [body: object, message: string][] = [
      [{ schedule: 'soon' }, 'schedule: expected five fields'],
      [{ schedule: null }, 'schedule: '],
      [{ enabled: null }, 'enabled: '],
      [{ timezone: 'Nowhere' }, 'timezone: '],
      [{ assistant_id: 'other' }, 'assistant_id: unknown field'],
      [{ command: { goto: 'ask' } }, 'input: a run takes an input or a command, not both'],
    ];
    for (const [given, message] of faults) {
      expect(await refusal('PATCH', `/runs/crons/${cron.cron_id}`, given)).toEqual([
        422,
        expect.stringContaining(message),
      ]);
    }
    expect(await (await send('GET', `/runs/crons/${cron.cron_id}`)).json()).toEqual(cron);
    // The API's check accepts this spelling of a time zone, but Temporal does not know it.
    const context = completeContext(api.dependencies());
    const record = await context.crons.getCron(ANONYMOUS_CALLER, cron.cron_id);
    const changing = updateCron(context, ANONYMOUS_CALLER, record, { timezone: 'Europe/BERLIN' });
    await expect(changing).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('BERLIN'),
    });
    expect((await context.crons.getCron(ANONYMOUS_CALLER, cron.cron_id)).timezone).toBeUndefined();
    expect((await schedule(cron.cron_id).describe()).spec.timezone).toBe('UTC');
    expect(await refusal('GET', '/runs/crons/nothing', undefined)).toEqual([422, expect.stringContaining('cron_id')]);
    for (const [given, message] of [
      [{ start: '2020-01-01T00:00:00Z' }, 'end: '],
      [{ start: '2020-01-02T00:00:00Z', end: '2020-01-01T00:00:00Z' }, 'end: expected a time not before start'],
      [{ start: '2020-01-02T00:00:00Z', end: '2999-01-01T00:00:00Z' }, 'end: expected a time in the past'],
    ] as const) {
      expect(await refusal('POST', `/runs/crons/${cron.cron_id}/backfill`, given)).toEqual([
        422,
        expect.stringContaining(message),
      ]);
    }
    const often = await create({ schedule: '* * * * *', enabled: false });
    const day = { start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z' };
    expect(await refusal('POST', `/runs/crons/${often.cron_id}/backfill`, day)).toEqual([
      422,
      'end: 2024-01-01T00:00:00.000Z to 2024-01-02T00:00:00.000Z has 1000 scheduled times or more; backfill it in parts',
    ]);
  });

  it('match their OpenAPI description', async () => {
    const cron = await create({ schedule: NEVER_SOON });
    cronAnswer.strict().parse(cron);
    const { thread_id: threadId } = await client.threads.create();
    cronAnswer.strict().parse(await client.crons.createForThread(threadId, 'echo', { schedule: NEVER_SOON }));
    await client.threads.delete(threadId);
  });
});
