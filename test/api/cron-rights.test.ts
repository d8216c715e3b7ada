import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { cronScheduleId } from '../../protocol/index.js';
import { CRON_WORKFLOW, type CronOutcome } from '../../workflows/contract.js';
import { ServiceProcesses } from '../support/house.js';
import { HttpUser } from '../support/http-user.js';

const house = new ServiceProcesses(resolve('test/fixtures/projects/server/owned.json'));
let connection: Connection;
let temporal: TemporalClient;
let mongo: MongoClient;
let [ada, bob, root] = [new HttpUser('', ''), new HttpUser('', ''), new HttpUser('', '')];

beforeAll(async () => {
  connection = await Connection.connect({ address: house.temporalAddress });
  temporal = new TemporalClient({ connection });
  mongo = await MongoClient.connect(house.mongodbUri);
  const [, { url }] = await Promise.all([house.worker(), house.api()]);
  [ada, bob, root] = [new HttpUser(url, 'ada'), new HttpUser(url, 'bob'), new HttpUser(url, 'root')];
}, 60_000);
afterAll(async () => {
  const crons = await root.get<{ cron_id: string }[]>('POST', '/runs/crons/search', { limit: 1_000 });
  await Promise.all(crons.map(({ cron_id: id }) => root.call('DELETE', `/runs/crons/${id}`)));
  await house.stop();
  await connection.close();
  await mongo.close();
});

const yearly = { schedule: '0 9 1 1 *', input: { text: 'first' } };
const period = { start: '2020-01-02T00:00:00Z', end: '2020-01-03T00:00:00Z' };
const give = (path: string, owner: string) => root.get('PATCH', path, { metadata: { owner } });

/** Fires a cron as its Temporal Schedule does, and returns the outcome. */
async function fire(cronId: string): Promise<CronOutcome> {
  const handle = await temporal.workflow.start<() => Promise<CronOutcome>>(CRON_WORKFLOW, {
    workflowId: `${cronScheduleId('default', cronId)}-${randomUUID()}`,
    taskQueue: house.name,
    args: [{ tenant: 'default', cronId }] as never,
    typedSearchAttributes: [{ key: { name: 'TemporalScheduledStartTime', type: 'DATETIME' }, value: new Date() }],
  });
  return handle.result();
}

/** Fires a cron whose workflow must fail. Returns the message of the error that made it fail. */
async function reasonOf(cronId: string): Promise<string> {
  const error: unknown = await fire(cronId).then(
    (outcome) => new Error(`it ran: ${JSON.stringify(outcome)}`),
    (thrown: unknown) => thrown,
  );
  let cause = error as Error;
  while (cause.cause instanceof Error) ({ cause } = cause as { cause: Error });
  return cause.message;
}

describe.each([
  {
    what: 'whose thread now belongs to another user',
    make: async () => {
      const { thread_id: id } = await bob.get('POST', '/threads', {});
      const cron = await bob.get('POST', `/threads/${String(id)}/runs/crons`, { assistant_id: 'whoami', ...yearly });
      const path = `/threads/${String(id)}`;
      return { cron: String(cron['cron_id']), path, missing: `Thread with ID ${String(id)} not found` };
    },
  },
  {
    what: 'whose assistant now belongs to another user',
    make: async () => {
      const { assistant_id: made } = await bob.get('POST', '/assistants', { graph_id: 'whoami' });
      const id = String(made);
      const cron = await bob.get('POST', '/runs/crons', { assistant_id: id, ...yearly });
      const missing = `Assistant not found: No assistant found for "${id}", neither by id nor by graph`;
      return { cron: String(cron['cron_id']), path: `/assistants/${id}`, missing };
    },
  },
])('a cron $what', ({ make }) => {
  let cron: string;
  let path: string;
  let missing: string;
  beforeEach(async () => {
    ({ cron, path, missing } = await make());
  });
  const patch = (body: object) => bob.call('PATCH', `/runs/crons/${cron}`, body);
  const backfill = () => bob.call('POST', `/runs/crons/${cron}/backfill`, period);

  it('cannot be changed or backfilled by its creator, who gets 404 for the thread or assistant', async () => {
    expect([(await patch({ input: { text: 'mine' } })).status, (await backfill()).status]).toEqual([200, 202]);
    await give(path, 'ada');
    for (const answer of [await patch({ input: { text: 'x' } }), await patch({ enabled: false }), await backfill()]) {
      expect([answer.status, answer.text]).toEqual([404, missing]);
    }
    expect(await bob.get('GET', `/runs/crons/${cron}`)).toMatchObject({
      enabled: true,
      payload: { input: { text: 'mine' } },
    });
  });

  it('may still be deleted by its creator', async () => {
    await give(path, 'ada');
    expect((await bob.call('DELETE', `/runs/crons/${cron}`)).status).toBe(204);
  });

  it('starts no run when it fires: its workflow fails with the error that the thread or assistant was not found', async () => {
    expect(await fire(cron)).toMatchObject({ status: 'success' });
    const count = () => mongo.db(house.name).collection('runs').countDocuments({});
    const before = await count();
    await give(path, 'ada');
    expect(await reasonOf(cron)).toBe(missing);
    expect(await count()).toBe(before);
    await give(path, 'bob');
    expect(await fire(cron)).toMatchObject({ status: 'success' });
  });

  it('starts a run if the user who changed it last may see all threads and assistants', async () => {
    await root.get('PATCH', `/runs/crons/${cron}`, { enabled: true });
    await give(path, 'ada');
    expect(await fire(cron)).toMatchObject({ status: 'success' });
  });

  it('starts a run if its record contains no auth filters', async () => {
    const kept = { $unset: { filters: '' } };
    const { modifiedCount } = await mongo.db(house.name).collection('crons').updateOne({ cronId: cron }, kept);
    expect(modifiedCount).toBe(1);
    await give(path, 'ada');
    expect(await fire(cron)).toMatchObject({ status: 'success' });
  });
});

describe('the auth filters that are stored with a cron', () => {
  it('cannot be read or set by clients', async () => {
    const { thread_id: id } = await bob.get('POST', '/threads', {});
    const at = `/threads/${String(id)}/runs/crons`;
    const body = { assistant_id: 'whoami', ...yearly };
    const made = await bob.get('POST', at, body);
    const path = `/runs/crons/${String(made['cron_id'])}`;
    const filters = { threads: {} };
    expect((await bob.call('POST', at, { ...body, filters })).status).toBe(422);
    expect((await bob.call('PATCH', path, { filters })).status).toBe(422);
    for (const shown of [made, await bob.get('PATCH', path, {}), await bob.get('GET', path)]) {
      expect(Object.keys(shown)).not.toContain('filters');
    }
    const stored = await mongo.db(house.name).collection('crons').findOne({ cronId: made['cron_id'] });
    expect(JSON.parse(String(stored?.['filters']))).toEqual({ threads: { owner: 'bob' } });
  });
});

describe('an assistant that two users create with the same id at the same moment', () => {
  it('is not shown to the user whose request came second', async () => {
    for (let round = 0; round < 30; round += 1) {
      const id = randomUUID();
      const body = { assistant_id: id, graph_id: 'whoami', config: { configurable: { prompt: 'of ada' } } };
      const [made, asked] = await Promise.all([
        ada.call('POST', '/assistants', body),
        bob.call('POST', '/assistants', { assistant_id: id, graph_id: 'whoami', if_exists: 'do_nothing' }),
      ]);
      expect([made.status, asked.status].sort()).toEqual([200, 409]);
      if (asked.status === 409) expect(asked.text).not.toContain('of ada');
    }
  }, 60_000);
});
