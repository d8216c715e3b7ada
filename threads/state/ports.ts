import type { Caller, Fence, Head } from '../../protocol/index.js';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import type { MongoSaver } from './saver/mongo-saver.js';
import type { StepSaver, StepSaverOptions } from './saver/step-saver.js';

/**
 * Port interface to the heads of threads. A head names the newest checkpoint of each namespace, and
 * has a revision and a fence. A commit of state is a compare-and-set on the head.
 */
export interface HeadStore {
  /**
   * Returns a thread's head. Before its first commit, a thread has revision 0, the fence
   * {@link NO_FENCE} and no checkpoint in `heads`.
   */
  readHead(caller: Caller, threadId: string): Promise<Head>;
  /**
   * Raises a thread's fence and returns the new head. From then on, the thread refuses every writer
   * with a lower fence. Errors: `fence_lost` if the thread already has a higher fence.
   */
  raiseFence(caller: Caller, threadId: string, fence: Fence): Promise<Head>;
}

/**
 * LangGraph's saver with two more methods. `hasCheckpoint` checks whether a checkpoint exists.
 * `valueText` reads one channel value as JSON text, without the rest of its checkpoint.
 */
export type ThreadSaver = BaseCheckpointSaver<string> & Pick<MongoSaver, 'hasCheckpoint' | 'valueText'>;

/**
 * Options of a step's saver that the step activity knows when it opens the saver: the thread, the
 * run, the attempt (`fence`) and the state before the step.
 */
type StepScope = Pick<
  StepSaverOptions,
  'threadId' | 'runId' | 'runMetadata' | 'fence' | 'head' | 'tail' | 'cache' | 'resumeConsumed'
>;

/** Options of a step's saver that are callbacks. The step passes them when it creates the saver. */
export type SaverHooks = Pick<StepSaverOptions, 'beforeCommit' | 'onCommit' | 'onInput' | 'hasEntry'>;

/**
 * Opens checkpoint savers and rolls runs back. The caller is authorized when a saver is opened, and
 * not again for each call of the saver.
 */
export interface SaverStore {
  /** Opens a saver that reads a thread's state. */
  openReader(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /**
   * Opens a saver for one edit of a thread's state. A put fails with `fence_lost` if another writer
   * has moved the head since the saver first read the head.
   */
  openEditor(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /**
   * Opens a saver for one step of a run. Resolves to a function that creates the saver, because the
   * step has the callbacks (`hooks`) only later.
   */
  openStep(caller: Caller, scope: StepScope): Promise<(hooks: SaverHooks) => StepSaver>;
  /**
   * Removes every checkpoint of a run and moves the thread's head back to the checkpoint before the
   * run. Idempotent. `fence` is the fence of the attempt that rolls the run back. Errors:
   * `fence_lost` if the thread has a higher fence, or if another writer moves the head at the same
   * time.
   */
  rollbackRun(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<void>;
}

/**
 * Rules for thinning, which removes older checkpoints of a thread. The checkpoints that the newest
 * state needs always stay. Any other root checkpoint stays if it is not older than `maxAgeMs` and
 * if `last` or `lastOfRuns` keeps it. If neither `last` nor `lastOfRuns` is set, only the age
 * counts.
 */
export interface ThinningPolicy {
  /** Number of newest root checkpoints that stay. */
  last?: number;
  /** Whether the last checkpoint of each run stays. */
  lastOfRuns?: boolean;
  /**
   * Maximum age of a checkpoint, in ms. An older checkpoint is removed even if `last` or
   * `lastOfRuns` would keep it.
   */
  maxAgeMs?: number;
}

export interface ThinningOptions {
  /** Time from which the age of a checkpoint is counted back. Default: the current time. */
  now?: Date;
  /**
   * Returns whether the thread has no active run. Called after the head was read. If it resolves to
   * false, nothing is removed. Default: resolves to true.
   */
  isIdle?: () => Promise<boolean>;
}
