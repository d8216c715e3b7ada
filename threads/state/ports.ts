import type { Caller, Fence, Head } from '../../protocol/index.js';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import type { MongoSaver } from './saver/mongo-saver.js';
import type { StepSaver, StepSaverOptions } from './saver/step-saver.js';

/** The heads of threads. A commit of state is a compare-and-set on the head. */
export interface HeadStore {
  /**
   * Returns a thread's head. Before its first commit, a thread has revision 0, {@link NO_FENCE} and
   * no heads.
   */
  readHead(caller: Caller, threadId: string): Promise<Head>;
  /**
   * Raises the fence of a thread. From then on, every writer with a lower fence is refused. Returns
   * the new head.
   * Errors: `fence_lost` if a higher fence is set.
   */
  raiseFence(caller: Caller, threadId: string, fence: Fence): Promise<Head>;
}

/**
 * A saver that can also check whether a checkpoint exists, and read one value without its
 * checkpoint.
 */
export type ThreadSaver = BaseCheckpointSaver<string> & Pick<MongoSaver, 'hasCheckpoint' | 'valueText'>;

/** The thread, run and attempt that a step activity opens its saver for. */
type StepScope = Pick<
  StepSaverOptions,
  'threadId' | 'runId' | 'runMetadata' | 'fence' | 'head' | 'tail' | 'cache' | 'resumeConsumed'
>;

/** Callbacks by which a step takes part in the commits of its saver. */
export type SaverHooks = Pick<StepSaverOptions, 'beforeCommit' | 'onCommit' | 'onInput' | 'hasEntry'>;

/**
 * Opens checkpoint savers and rolls runs back. The caller is authorized once, when a saver is
 * opened.
 */
export interface SaverStore {
  /** Opens a saver that reads a thread's state. */
  openReader(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /**
   * Opens a saver for one edit of a thread's state. A put fails with `fence_lost` if another writer
   * has moved the head since the saver first read it.
   */
  openEditor(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /**
   * Opens a saver for one step of a run. Resolves to a function, because the step creates the saver
   * only when it knows its hooks.
   */
  openStep(caller: Caller, scope: StepScope): Promise<(hooks: SaverHooks) => StepSaver>;
  /**
   * Removes every checkpoint of a run and moves the thread's head back to the checkpoint before the
   * run. Idempotent. The caller holds the fence. Errors: `fence_lost`.
   */
  rollbackRun(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<void>;
}

/**
 * The rules by which older checkpoints of a thread are kept. Without `last` and `lastOfRuns`, all
 * checkpoints within `maxAgeMs` are kept.
 */
export interface ThinningPolicy {
  /** Keep this number of newest root checkpoints. */
  last?: number;
  /** Keep the last checkpoint of each run. */
  lastOfRuns?: boolean;
  /**
   * Maximum age of a checkpoint, in ms. Older checkpoints are removed even if another rule keeps
   * them.
   */
  maxAgeMs?: number;
}

export interface ThinningOptions {
  /** The time from which ages are counted back. Default: the current time. */
  now?: Date;
  /**
   * Called after the newest checkpoints were read. If it resolves to false, a run is active and
   * nothing is removed. Default: resolves to true.
   */
  isIdle?: () => Promise<boolean>;
}
