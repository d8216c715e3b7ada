import type { Caller, Fence, Head } from '../../protocol/index.js';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import type { MongoSaver } from './saver/mongo-saver.js';
import type { StepSaver, StepSaverOptions } from './saver/step-saver.js';

/** The position of thread state; a commit is a compare-and-set on it. */
export interface HeadStore {
  /** A thread without a commit has rev 0, {@link NO_FENCE} and no heads. */
  readHead(caller: Caller, threadId: string): Promise<Head>;
  /** Shuts out every writer with a lower fence; answers the head as it is then. Errors: `fence_lost` when a higher fence is set. */
  raiseFence(caller: Caller, threadId: string, fence: Fence): Promise<Head>;
}

/** A saver for one thread, which can also tell whether a checkpoint exists without reading it. */
export type ThreadSaver = BaseCheckpointSaver<string> & Pick<MongoSaver, 'hasCheckpoint' | 'valueText'>;

/** What a step activity opens its saver for. */
export type StepScope = Pick<
  StepSaverOptions,
  'threadId' | 'runId' | 'runMetadata' | 'fence' | 'head' | 'tail' | 'cache' | 'resumeConsumed'
>;

/** What the step itself wants to hear of commits. */
export type SaverHooks = Pick<StepSaverOptions, 'beforeCommit' | 'onCommit' | 'onInput' | 'hasEntry'>;

/** Opens checkpoint savers, and undoes what a run has saved. The caller is checked once, when a saver is opened. */
export interface SaverStore {
  /** For reads of a thread's state. */
  openReader(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /** For one edit of a thread's state: a put fails with `fence_lost` if another writer has moved the head. */
  openEditor(caller: Caller, threadId: string): Promise<ThreadSaver>;
  /** For one step of a run; the step makes the saver when it knows its hooks. */
  openStep(caller: Caller, scope: StepScope): Promise<(hooks: SaverHooks) => StepSaver>;
  /**
   * Removes every checkpoint of a run and moves the thread's head back to where it was before the
   * run. Idempotent. The caller holds the fence. Errors: `fence_lost`.
   */
  rollbackRun(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<void>;
}

/** Which older checkpoints of a thread stay. Without `last` and `lastOfRuns`: all that are not too old. */
export interface ThinningPolicy {
  /** The newest so many of the thread. */
  last?: number;
  /** The last one of each run. */
  lastOfRuns?: boolean;
  /** Checkpoints older than this go, in ms, whatever else is said. */
  maxAgeMs?: number;
}

export interface ThinningOptions {
  /** Default: now. */
  now?: Date;
  /** Asked once it is known what the newest state stands on: where a run works on the thread, nothing is taken away. Default: none does. */
  isIdle?: () => Promise<boolean>;
}
