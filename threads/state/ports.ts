import type { Fence, Head } from '../../protocol/index.js';

/** The position of thread state; a commit is a compare-and-set on it. */
export interface HeadStore {
  /** A thread without a commit has rev 0, {@link NO_FENCE} and no heads. */
  readHead(tenant: string, threadId: string): Promise<Head>;
  /** Shuts out every writer with a lower fence; answers the head as it is then. Errors: `fence_lost` when a higher fence is set. */
  raiseFence(tenant: string, threadId: string, fence: Fence): Promise<Head>;
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
