import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient, ScheduleNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { cronScheduleId } from '../../protocol/index.js';
import { CRON_WORKFLOW, type CronOutcome } from '../../workflows/contract.js';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';

const NEVER_SOON = '0 9 1 1 *';

interface RunInsert {
  threadId: string;
  runId: string;
  metadata: Record<string, unknown>;
}

describe('a cron', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/talk/langgraph.json'), {
    COLLOQUY_CRON_MIN_INTERVAL_SECONDS: '1',
  });
  let worker: ServiceProcess;
  let url: string;
  let client: Client;
  let connection: Connection;
  let temporal: TemporalClient;
  let mongo: MongoClient;
  const createdCrons: string[] = [];

  beforeAll(async () => {
    const [first, api] = await Promise.all([house.worker(), house.api()]);
    [worker, url] = [first, api.url];
    client = new Client({ apiUrl: url, apiKey: null });
    connection = await Connection.connect({ address: house.temporalAddress });
    temporal = new TemporalClient({ connection });
    mongo = await MongoClient.connect(house.mongodbUri);
  }, 60_000);
  afterEach(async () => {
    for (const cronId of createdCrons.splice(0)) await client.crons.delete(cronId).catch(() => undefined);
  });
  afterAll(async () => {
    await house.stop();
    await connection.close();
    await mongo.close();
  });

  async function create(payload: Parameters<Client['crons']['create']>[1], threadId?: string): Promise<string> {
    const cron = threadId
      ? await client.crons.createForThread(threadId, 'talk', payload)
      : await client.crons.create('talk', payload);
    createdCrons.push(cron.cron_id);
    return cron.cron_id;
  }

  const schedule = (cronId: string) => temporal.schedule.getHandle(cronScheduleId('default', cronId));

  /** Starts the workflow of a firing, as the cron's Temporal Schedule does. */
  function fire(cronId: string, scheduledAt = new Date()): Promise<WorkflowHandle<() => Promise<CronOutcome>>> {
    return temporal.workflow.start<() => Promise<CronOutcome>>(CRON_WORKFLOW, {
      workflowId: `${cronScheduleId('default', cronId)}-${randomUUID()}`,
      taskQueue: house.name,
      args: [{ tenant: 'default', cronId }] as never,
      typedSearchAttributes: [{ key: { name: 'TemporalScheduledStartTime', type: 'DATETIME' }, value: scheduledAt }],
    });
  }

  async function fired(
    cronId: string,
    scheduledAt?: Date,
  ): Promise<{ threadId: string; runId: string; status?: string }> {
    const outcome = await (await fire(cronId, scheduledAt)).result();
    if ('refused' in outcome) throw new Error(outcome.refused);
    return outcome;
  }

  /** Calls `act`, and returns the first `count` runs that are created from then on. */
  async function runsMade(count: number, act: () => Promise<unknown>): Promise<RunInsert[]> {
    const stream = mongo
      .db(house.name)
      .collection('runs')
      .watch([{ $match: { operationType: 'insert' } }]);
    try {
      await stream.tryNext();
      await act();
      const runs: RunInsert[] = [];
      while (runs.length < count) {
        const change = (await stream.next()) as unknown as { fullDocument: RunInsert & { metadata: string } };
        const { threadId, runId, metadata } = change.fullDocument;
        runs.push({ threadId, runId, metadata: JSON.parse(metadata) as Record<string, unknown> });
      }
      return runs;
    } finally {
      await stream.close();
    }
  }

  it('fires at its scheduled times, each time on a new thread', async () => {
    let cronId = '';
    const runs = await runsMade(2, async () => {
      cronId = await create({ schedule: '@every 1s', input: { log: ['tick'] }, metadata: { topic: 'time' } });
    });
    await client.crons.update(cronId, { enabled: false });
    expect(new Set(runs.map((run) => run.threadId)).size).toBe(2);
    for (const { threadId, runId, metadata } of runs) {
      expect(metadata).toMatchObject({ topic: 'time', cron_id: cronId });
      expect(await client.runs.join(threadId, runId)).toEqual({ log: ['tick', 'heard', 'answered'] });
    }
    const threads = await client.threads.search({ metadata: { cron_id: cronId } });
    expect(threads.map((thread) => thread.thread_id)).toEqual(expect.arrayContaining(runs.map((run) => run.threadId)));
    // Threads with this metadata key are deleted after their run, like those of other stateless
    // runs.
    expect(threads[0]?.metadata).toMatchObject({ colloquy_stateless: true });
  });

  it('fires on the thread that it was created for, with the newest input of the cron', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const cronId = await create({ schedule: NEVER_SOON, input: { log: ['first'] } }, threadId);
    expect(await fired(cronId)).toEqual({ threadId, runId: expect.any(String), status: 'success' });
    await client.crons.update(cronId, { input: { log: ['second'] } });
    await fired(cronId);
    const { values } = await client.threads.getState(threadId);
    expect(values).toEqual({ log: ['first', 'heard', 'answered', 'second', 'heard', 'answered'] });
    const runs = await client.runs.list(threadId);
    expect(runs.map((run) => [run.status, run.metadata?.['cron_id']])).toEqual([
      ['success', cronId],
      ['success', cronId],
    ]);
    expect((await client.threads.get(threadId)).metadata).not.toMatchObject({ colloquy_stateless: true });
  });

  it('fires when its Temporal Schedule is triggered, and keeps the new thread if `onRunCompleted` is `keep`', async () => {
    const cronId = await create({ schedule: NEVER_SOON, onRunCompleted: 'keep', input: { log: ['hi'] } });
    const [run] = await runsMade(1, () => schedule(cronId).trigger());
    expect(await client.runs.join(run?.threadId ?? '', run?.runId ?? '')).toEqual({ log: ['hi', 'heard', 'answered'] });
    const thread = await client.threads.get(run?.threadId ?? '');
    expect(thread.metadata).toMatchObject({ cron_id: cronId, graph_id: 'talk' });
    expect(thread.metadata).not.toMatchObject({ colloquy_stateless: true });
  });

  it('fires once for each scheduled time of a past period, even if two backfills contain that time', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const cronId = await create({ schedule: '0 * * * *', input: { log: ['back'] } }, threadId);
    const backfill = (start: string, end: string) =>
      fetch(`${url}/runs/crons/${cronId}/backfill`, {
        method: 'POST',
        body: JSON.stringify({ start, end, overlap: 'buffer_all' }),
      }).then((res) => expect(res.status).toBe(202));
    const runs = await runsMade(3, () => backfill('2024-03-01T08:30:00Z', '2024-03-01T11:30:00Z'));
    for (const { runId } of runs) await client.runs.join(threadId, runId);
    // The second backfill contains two scheduled times: 11:00, which already has a run, and 12:00,
    // which has none.
    const [last] = await runsMade(1, () => backfill('2024-03-01T10:30:00Z', '2024-03-01T12:30:00Z'));
    await client.runs.join(threadId, last?.runId ?? '');
    const again = await fired(cronId, new Date('2024-03-01T11:00:00Z'));
    expect(runs.map((run) => run.runId)).toContain(again.runId);
    expect(await client.runs.list(threadId)).toHaveLength(4);
  });

  it('creates one run for a scheduled time, even if two firings for that time start at once', async () => {
    const { thread_id: threadId } = await client.threads.create();
    for (const cronId of [
      await create({ schedule: NEVER_SOON, input: { log: ['hi'] } }, threadId),
      await create({ schedule: NEVER_SOON, input: { log: ['hi'] } }),
    ]) {
      const at = new Date('2024-03-01T09:00:00Z');
      const [one, two] = await Promise.all([fired(cronId, at), fired(cronId, at)]);
      expect(two).toEqual(one);
      expect(await client.runs.list(one.threadId)).toHaveLength(1);
    }
  });

  it('creates one run for a scheduled time, even if the worker is killed during the firing', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const cronId = await create({ schedule: NEVER_SOON, input: { log: ['hi'] } }, threadId);
    let firing: WorkflowHandle<() => Promise<CronOutcome>> | undefined;
    await runsMade(1, async () => {
      firing = await fire(cronId);
    });
    await worker.kill('SIGKILL');
    worker = await house.worker();
    expect(await firing?.result()).toMatchObject({ threadId, status: 'success' });
    expect((await client.runs.list(threadId)).map((run) => run.status)).toEqual(['success']);
    expect((await client.threads.getState(threadId)).values).toEqual({ log: ['hi', 'heard', 'answered'] });
  }, 90_000);

  it('cancels the run of a firing if the workflow of the firing is cancelled', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const ticker = await client.crons.createForThread(threadId, 'ticker', {
      schedule: NEVER_SOON,
      input: { ticks: 3_000 },
    });
    createdCrons.push(ticker.cron_id);
    let firing: WorkflowHandle<() => Promise<CronOutcome>> | undefined;
    const [run] = await runsMade(1, async () => {
      firing = await fire(ticker.cron_id);
    });
    await firing?.cancel();
    await expect(firing?.result()).rejects.toThrow('Workflow execution cancelled');
    await client.runs.join(threadId, run?.runId ?? '');
    expect((await client.runs.get(threadId, run?.runId ?? '')).status).toBe('interrupted');
  });

  it('follows its multitask strategy if the thread is busy', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const busy = await client.runs.create(threadId, 'ticker', { input: { ticks: 3_000 } });
    const rejecting = await create(
      { schedule: NEVER_SOON, multitaskStrategy: 'reject', input: { log: ['no'] } },
      threadId,
    );
    expect(await (await fire(rejecting)).result()).toEqual({ refused: expect.stringContaining('busy') });
    const taking = await create(
      { schedule: NEVER_SOON, multitaskStrategy: 'interrupt', input: { log: ['yes'] } },
      threadId,
    );
    expect(await fired(taking)).toMatchObject({ threadId, status: 'success' });
    expect((await client.runs.get(threadId, busy.run_id)).status).toBe('interrupted');
    expect(await client.runs.list(threadId)).toHaveLength(2);
  });

  it('starts no run after its record was deleted; its next firing only removes the leftover Temporal Schedule', async () => {
    const cronId = await create({ schedule: NEVER_SOON });
    await mongo
      .db(house.name)
      .collection<{ _id: string }>('crons')
      .deleteOne({ _id: `default/${cronId}` });
    expect(await (await fire(cronId)).result()).toEqual({
      refused: `cron ${cronId} does not exist; its schedule is removed`,
    });
    await expect(schedule(cronId).describe()).rejects.toThrow(ScheduleNotFoundError);
  });

  it('has a later `next_run_date` after a firing than before it', async () => {
    const cronId = await create({ schedule: '@every 1s', input: { log: ['tick'] } });
    const shown = async () => (await client.crons.search({ sortBy: 'created_at', limit: 1 }))[0]?.next_run_date ?? '';
    const first = await shown();
    // The next run may belong to a firing that began before `first` was read. So wait for two runs.
    await runsMade(2, async () => undefined);
    expect(new Date(await shown()).getTime()).toBeGreaterThan(new Date(first).getTime());
    expect(cronId).toBe((await client.crons.search({ limit: 1 }))[0]?.cron_id);
  });
});
