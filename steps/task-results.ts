import { readField } from './thrown-value.js';
import type { Task, TaskRunner } from './task-runner.js';

const RESUME = '__resume__';

/**
 * Makes a runner keep only the results of finished tasks. When a step is retried, LangGraph takes a
 * task with a stored result as finished. LangGraph alone would also keep
 *
 * - an empty result of a task that has not run, because another task failed before there was room
 *   for it (`maxConcurrency`);
 * - in the node cache, the writes of a task whose conditional edge failed, for all later runs;
 * - the writes of a task whose conditional edge called a graph that was drained.
 *
 * The saver keeps the other writes of failed tasks apart.
 */
export function keepOnlyResults(runner: TaskRunner): void {
  const commit = runner._commit;
  let hasFailed = false;
  runner._commit = (task, error) => {
    if (error === undefined) {
      if (!hasFailed || task.writes.length > 0) commit.call(runner, task, error);
      return;
    }
    delete task.cache_key;
    const isPause = readField(error, 'is_bubble_up') === true;
    if (readField(error, 'name') === 'GraphDrained') dropOutput(task);
    commit.call(runner, task, error);
    hasFailed ||= !isPause && runner.handledExceptions?.has(error as object) !== true;
  };
}

/** Removes the task's output. The answers to its interrupts are kept. */
function dropOutput({ writes }: Task): void {
  writes.splice(0, writes.length, ...writes.filter(([channel]) => channel === RESUME));
}
