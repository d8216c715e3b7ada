import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import { CRON_WORKFLOW, type CronActivities, type CronOutcome } from '../../workflows/contract.js';
import { WORKFLOW_BUNDLE } from './world.js';

const RUN = { threadId: 't1', runId: 'r1' };

describe.each([
  { title: 'cached', cache: {} },
  { title: 'replayed at every workflow task', cache: { maxCachedWorkflows: 0 } },
])('the workflow of a firing of a cron ($title)', ({ cache }) => {
  const taskQueue = `cron-${randomUUID()}`;
  const calls: string[] = [];
  let script: CronActivities;
  let native: NativeConnection;
  let connection: Connection;
  let client: Client;
  let running: Promise<void>;
  let worker: Worker;

  beforeAll(async () => {
    const address = process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS;
    native = await NativeConnection.connect({ address });
    connection = await Connection.connect({ address });
    client = new Client({ connection });
    const call = <T>(name: string, task: unknown, done: () => Promise<T>) => {
      calls.push(`${name} ${JSON.stringify(task)}`);
      return done();
    };
    const activities: CronActivities = {
      fireCron: (task) => call('fireCron', task, () => script.fireCron(task)),
      awaitScheduledRun: (task) => call('awaitScheduledRun', task, () => script.awaitScheduledRun(task)),
      cancelScheduledRun: (task) => call('cancelScheduledRun', task, () => script.cancelScheduledRun(task)),
    };
    worker = await Worker.create({
      connection: native,
      taskQueue,
      workflowBundle: WORKFLOW_BUNDLE,
      activities: { ...activities },
      ...cache,
    });
    running = worker.run();
  }, 60_000);
  beforeEach(() => {
    calls.length = 0;
    script = {
      fireCron: async () => RUN,
      awaitScheduledRun: async () => 'success',
      cancelScheduledRun: async () => undefined,
    };
  });
  afterAll(async () => {
    worker.shutdown();
    await running;
    await connection.close();
    await native.close();
  });

  function start(): Promise<WorkflowHandle<() => Promise<CronOutcome>>> {
    return client.workflow.start<() => Promise<CronOutcome>>(CRON_WORKFLOW, {
      workflowId: `cron/workflows-test/${randomUUID()}`,
      taskQueue,
      args: [{ tenant: 'workflows-test', cronId: 'c1' }] as never,
      typedSearchAttributes: [
        { key: { name: 'TemporalScheduledStartTime', type: 'DATETIME' }, value: new Date('2024-03-01T09:00:00Z') },
      ],
    });
  }

  const FIRED = 'fireCron {"tenant":"workflows-test","cronId":"c1","scheduledAt":"2024-03-01T09:00:00.000Z"}';
  const TASK = '{"tenant":"workflows-test","threadId":"t1","runId":"r1"}';

  it('passes its scheduled time to the activity that creates the run, and ends when that run has ended', async () => {
    let looks = 0;
    script.awaitScheduledRun = async () => {
      if (++looks === 3) return 'error';
      throw ApplicationFailure.create({ message: 'running', category: ApplicationFailureCategory.BENIGN });
    };
    expect(await (await start()).result()).toEqual({ ...RUN, status: 'error' });
    expect(calls).toEqual([FIRED, ...Array.from({ length: 3 }, () => `awaitScheduledRun ${TASK}`)]);
  });

  it('ends at once if its activity has created no run', async () => {
    script.fireCron = async () => ({ refused: 'thread t1 is busy' });
    expect(await (await start()).result()).toEqual({ refused: 'thread t1 is busy' });
    expect(calls).toEqual([FIRED]);
  });

  it('cancels its run if the workflow is cancelled, even if the run is created only afterwards', async () => {
    let made: () => void = () => undefined;
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    script.fireCron = () =>
      new Promise((resolve) => {
        made = () => resolve(RUN);
        asked();
      });
    const handle = await start();
    await isAsked;
    await handle.cancel();
    made();
    await expect(handle.result()).rejects.toThrow('Workflow execution cancelled');
    expect(calls.filter((call) => !call.startsWith('await'))).toEqual([FIRED, `cancelScheduledRun ${TASK}`]);
  });
});
