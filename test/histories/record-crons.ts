/**
 * Records the workflow histories of cron firings, for `replay.test.ts`. Each firing of a cron has a
 * workflow, which starts the run of the firing. `record.ts` records the histories of conversations.
 *
 *     COLLOQUY_TEST_TEMPORAL_ADDRESS=127.0.0.1:7233 npx tsx test/histories/record-crons.ts NAME
 *
 * NAME is the folder for the histories. Default: the date.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { CRON_WORKFLOW, type CronActivities } from '../../workflows/contract.js';
import { WORKFLOW_BUNDLE } from '../workflows/world.js';
import { writeHistory } from './files.js';

const RUN = { threadId: 't1', runId: 'r1' };
const DONE: CronActivities = {
  fireCron: async () => RUN,
  awaitScheduledRun: async () => 'success',
  cancelScheduledRun: async () => undefined,
};

type Path = [script: Partial<CronActivities>, act?: (handle: WorkflowHandle) => Promise<unknown>];

const PATHS: Record<string, Path> = {
  'cron-fired': [{}],
  'cron-refused': [{ fireCron: async () => ({ refused: 'thread t1 is busy' }) }],
  'cron-cancelled': [
    { awaitScheduledRun: () => Promise.reject(new Error('run r1 is running')) },
    (handle) => handle.cancel(),
  ],
};

const name = process.argv[2] ?? new Date().toISOString().slice(0, 10);
mkdirSync(join(import.meta.dirname, name), { recursive: true });
const address = process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS;
const native = await NativeConnection.connect({ address });
const connection = await Connection.connect({ address });
const client = new Client({ connection });
for (const [path, [script, act]] of Object.entries(PATHS)) {
  const taskQueue = `record-${randomUUID()}`;
  const workflowId = `cron/workflows-test/${randomUUID()}`;
  const worker = await Worker.create({
    ...{ connection: native, taskQueue, workflowBundle: WORKFLOW_BUNDLE },
    activities: { ...DONE, ...script },
  });
  await worker.runUntil(async () => {
    const args = [{ tenant: 'workflows-test', cronId: 'c1' }];
    const handle = await client.workflow.start(CRON_WORKFLOW, { workflowId, taskQueue, args });
    await act?.(handle);
    await handle.result().catch(() => undefined);
    const history = await handle.fetchHistory();
    writeHistory(`${name}/${path}.json`, history);
    console.log(`${name}/${path}.json: ${history.events?.length} events`);
  });
}
await connection.close();
await native.close();
