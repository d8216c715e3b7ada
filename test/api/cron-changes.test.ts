import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Client } from '@langchain/langgraph-sdk';
import { Client as TemporalClient, Connection, ScheduleNotFoundError } from '@temporalio/client';
import { completeContext } from '../../api/context.js';
import { createCron, deleteCron, sweepCrons, updateCron } from '../../conversations/change-cron.js';
import { createSchedules } from '../../conversations/index.js';
import { freePort } from '../../servers/ports.js';
import { DEFAULT_SCHEDULE_OPTIONS, cronScheduleId } from '../../protocol/index.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';

const NEVER_SOON = '0 9 1 1 *';

describe('crons and their Temporal Schedules', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;
  const made: string[] = [];

  beforeAll(async () => {
    api = await ApiFixture.start('api_cron_changes');
    url = await api.listen();
    client = api.client(url);
  });

  const connections: Connection[] = [];
  afterAll(async () => {
    for (const cronId of made) await api.schedules.remove(ANONYMOUS_CALLER, cronId);
    for (const connection of connections) await connection.close();
    await api.stop();
  });

  const schedule = (cronId: string) => api.temporal.schedule.getHandle(cronScheduleId(ANONYMOUS_CALLER.tenant, cronId));

  async function contexts() {
    const connection = Connection.lazy({ address: `127.0.0.1:${await freePort()}` });
    connections.push(connection);
    const temporal = new TemporalClient({ connection });
    const away = createSchedules({ client: temporal, taskQueue: 'nobody', timeoutMs: 300 });
    const context = completeContext(api.dependencies());
    return { context, cut: { ...context, schedules: away } };
  }

  const soon = () => new Date(Date.now() + 60_000);

  async function newCron() {
    const { assistant_id: assistantId } = await client.assistants.get('echo');
    const cronId = randomUUID();
    made.push(cronId);
    return {
      ...{ cronId, assistantId, schedule: NEVER_SOON, enabled: true, onRunCompleted: 'delete' as const },
      ...{ payload: {}, metadata: {}, options: DEFAULT_SCHEDULE_OPTIONS },
    };
  }

  it('are not created during an outage of Temporal; the periodic sweep removes the remains of a failed creation', async () => {
    const { context, cut } = await contexts();
    const refused = await newCron();
    await expect(createCron(cut, ANONYMOUS_CALLER, refused)).rejects.toMatchObject({ code: 'unavailable' });
    const orphan = await context.crons.createCron(ANONYMOUS_CALLER, await newCron());
    await context.schedules.put(ANONYMOUS_CALLER, orphan);
    expect(await sweepCrons(context, ANONYMOUS_CALLER, soon())).toBe(2);
    for (const { cronId } of [refused, orphan]) {
      await expect(context.crons.closeCron(ANONYMOUS_CALLER, cronId)).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(schedule(orphan.cronId).describe()).rejects.toThrow(ScheduleNotFoundError);
  });

  it('agree again after the periodic sweep if a cron was changed during an outage of Temporal', async () => {
    const { context, cut } = await contexts();
    const cron = await createCron(context, ANONYMOUS_CALLER, await newCron());
    const changing = updateCron(cut, ANONYMOUS_CALLER, cron, { timezone: 'Europe/Berlin', enabled: false });
    await expect(changing).rejects.toMatchObject({ code: 'unavailable' });
    expect((await schedule(cron.cronId).describe()).state.paused).toBe(false);
    expect(await sweepCrons(context, ANONYMOUS_CALLER, soon())).toBe(1);
    const { state, spec } = await schedule(cron.cronId).describe();
    expect([state.paused, spec.timezone]).toEqual([true, 'Europe/Berlin']);
    expect(await sweepCrons(context, ANONYMOUS_CALLER, soon())).toBe(0);
  });

  it('are deleted despite an outage of Temporal: the cron at once, its Schedule when the client repeats the request later', async () => {
    const { context, cut } = await contexts();
    const cron = await createCron(context, ANONYMOUS_CALLER, await newCron());
    await expect(deleteCron(cut, ANONYMOUS_CALLER, cron.cronId)).rejects.toMatchObject({ code: 'unavailable' });
    expect((await fetch(`${url}/runs/crons/${cron.cronId}`)).status).toBe(404);
    await client.crons.delete(cron.cronId);
    await expect(schedule(cron.cronId).describe()).rejects.toThrow(ScheduleNotFoundError);
  });

  it('agree after concurrent changes, in whatever order the changes reach the Schedule', async () => {
    const { context } = await contexts();
    const cron = await createCron(context, ANONYMOUS_CALLER, await newCron());
    const zones = ['Europe/Berlin', 'Asia/Tokyo', 'America/New_York', 'UTC'];
    await Promise.all(zones.map((timezone) => updateCron(context, ANONYMOUS_CALLER, cron, { timezone })));
    const record = await context.crons.getCron(ANONYMOUS_CALLER, cron.cronId);
    expect((await schedule(cron.cronId).describe()).spec.timezone).toBe(record.timezone);
    expect(record.rev).toBe(5);
  });
});
