/**
 * A Temporal worker that runs only the bare workflow: a workflow that only runs no-op
 * activities. The benches compare Colloquy with it. The worker has the same limits as
 * Colloquy's workers. Usage: node bare-worker.js ADDRESS TASK_QUEUE
 */
import { fileURLToPath } from 'node:url';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { BareActivities } from './bare-workflow.js';

const [address = '', taskQueue = ''] = process.argv.slice(2);
const activities: BareActivities = { noop: () => Promise.resolve() };

Runtime.install({ shutdownSignals: [] });
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowsPath: fileURLToPath(new URL('./bare-workflow.js', import.meta.url)),
  activities,
  maxConcurrentActivityTaskExecutions: 100,
  maxCachedWorkflows: 1_000,
});
const stop = () => {
  if (worker.getState() === 'RUNNING') worker.shutdown();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);
const running = worker.run();
process.send?.({ ready: {} });
await running;
await connection.close();
process.exit();
