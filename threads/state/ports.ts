import type { Caller, Fence, Head } from '../../protocol/index.js';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import type { MongoSaver } from './saver/mongo-saver.js';
import type { StepSaver, StepSaverOptions } from './saver/step-saver.js';

/** The heads of threads. A commit of state is a compare-and-set on the head. */
export interface HeadStore {
  /** A thread without a commit has rev 0, {@link NO_FENCE} and no heads. */
  readHead(caller: Caller, threadId: string): Promise<Head>;
  /**
   * Refuses every writer with a lower fence from then on. Returns the new head.
   * Errors: `fence_lost` if a higher fence is set.
   */
  raiseFence(caller: Caller, threadId: string, fence: Fence): Promise<Head>;
}

/** A saver that can also check for a checkpoint and read one value, without a whole checkpoint. */
export type ThreadSaver = BaseCheckpointSaver<string> & Pick<MongoSaver, 'hasCheckpoint' | 'valueText'>;

/** The thread, run and attempt that a step activity opens its saver for. */
type StepScope = Pick<
  StepSaverOptions,
  'threadId' | 'runId' | 'runMetadata' | 'fence' | 'head' | 'tail' | 'cache' | 'resumeConsumed'
>;

/** Callbacks by which the step takes part in commits. */
export type SaverHooks = Pick<StepSaverOptions, 'beforeCommit' | 'onCommit' | 'onInput' | 'hasEntry'>;

/**
 * Opens checkpoint savers and rolls runs back. The caller is authorized once, when a saver opens.
 */
export interface SaverStore {
  /** For reads of a thread's state. */
  openReader(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /**
   * For one edit of a thread's state: a put fails with `fence_lost` if another writer has moved the
   * head.
   */
  openEditor(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /** For one step of a run. The step creates the saver when it knows its hooks. */
  openStep(caller: Caller, scope: StepScope): Promise<(hooks: SaverHooks) => StepSaver>;
  /**
   * Removes every checkpoint of a run and moves the thread's head back to where it was before the
   * run. Idempotent. The caller holds the fence. Errors: `fence_lost`.
   */
  rollbackRun(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<void>;
}

/**
 * Which older checkpoints of a thread stay. Without `last` and `lastOfRuns`, all within `maxAgeMs`.
 */
export interface ThinningPolicy {
  /** Keep this number of newest root checkpoints. */
  last?: number;
  /** Keep the last checkpoint of each run. */
  lastOfRuns?: boolean;
  /** Remove older checkpoints, in ms, even if another rule keeps them. */
  maxAgeMs?: number;
}

export interface ThinningOptions {
  /** Default: now. */
  now?: Date;
  /**
   * Called after the newest checkpoints were read. If it resolves to false, a run is active and
   * nothing is removed. Default: resolves to true.
   */
  isIdle?: () => Promise<boolean>;
}
