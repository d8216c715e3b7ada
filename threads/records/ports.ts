import type {
  Assistant,
  AssistantVersion,
  Caller,
  EndedRunStatus,
  Fence,
  GivenThreadFields,
  Interrupt,
  RequiredMetadata,
  Run,
  RunError,
  RunStatus,
  Thread,
  ThreadStatus,
  ThreadTtl,
} from '../../protocol/index.js';
import type { ThinningPolicy } from '../state/ports.js';

export interface NewThread extends GivenThreadFields {
  threadId: string;
  ttl?: NewTtl;
}

/** A time to live that starts when it is stored. */
export type NewTtl = Omit<ThreadTtl, 'expiresAt'>;

/** Metadata are merged key by key; every other field is replaced. */
export interface ThreadPatch extends GivenThreadFields {
  ttl?: NewTtl;
}

/** Status and open interrupts of a thread that no run works on. */
export interface SettledState {
  status: Exclude<ThreadStatus, 'busy'>;
  /** Open interrupts by the id of the Pregel task that waits. */
  interrupts: Record<string, Interrupt[]>;
}

export interface DueQuery {
  /** Finds threads whose TTL ends at or before this time. */
  expired: Date;
  /**
   * Finds threads that were closed at or before this time. Their deletion counts as interrupted.
   */
  closed: Date;
  limit: number;
}

export interface DueThread {
  threadId: string;
  isClosed: boolean;
  ttl?: ThreadTtl;
}

/** A thread whose history is due for thinning. */
export interface ThinnableThread {
  threadId: string;
  /**
   * When the thread became due. The value changes if the state changes or another process thins the
   * thread.
   */
  since: Date;
}

export interface ThreadFilter {
  ids?: string[];
  /** The thread's metadata must contain these keys and values. */
  metadata?: Record<string, unknown>;
  required: RequiredMetadata;
  status?: ThreadStatus;
}

export interface ThreadQuery extends ThreadFilter {
  limit: number;
  offset: number;
  sortBy?: 'thread_id' | 'status' | 'created_at' | 'updated_at' | 'state_updated_at';
  sortOrder?: 'asc' | 'desc';
}

export type NewRun = Omit<
  Run,
  'tenant' | 'status' | 'createdAt' | 'updatedAt' | 'startedAt' | 'afterSeq' | 'error' | 'cancelReason'
> & {
  /**
   * The record is a message for a working run. The message becomes a run of its own only if the
   * working run does not take it. The record is never removed as an orphan.
   */
  waitsForTurn?: true;
};

export interface RunQuery {
  status?: RunStatus;
  limit: number;
  offset: number;
}

interface ThreadCopy {
  copyId: string;
  /** Replaces the values of these keys in the copied metadata. */
  metadata: Record<string, unknown>;
  /** Copies only this thread, and not a later thread that has the same id. */
  source?: ThreadIdentity;
}

/** Distinguishes a thread from a later thread that has the same id. */
export type ThreadIdentity = Pick<Thread, 'createdAt'>;

/** The end of a run, for the records of the run and its thread. */
export interface RunEnd {
  runId: string;
  /** Fence of the attempt that ends the run. */
  fence: Fence;
  status: EndedRunStatus;
  error?: RunError;
  threadStatus: ThreadStatus;
  /** Open interrupts by the id of the Pregel task that waits. */
  interrupts: Record<string, Interrupt[]>;
  /**
   * Whether the run is rolled back. Clients then no longer find its record. The record is removed
   * after the run's last event.
   */
  isRolledBack?: boolean;
}

/** An attempt that starts a run or takes it over from an earlier attempt. */
export interface RunStart {
  /** The run's events begin after this offset. The lowest value of all attempts is stored. */
  afterSeq: number;
  fence: Fence;
}

/** An attempt in which a node failed. */
export interface FailedAttempt {
  /** Name of the superstep that failed: 1 to 64 letters, digits, `_` or `-`. */
  superstep: string;
  /** Fence of the attempt that failed. */
  fence: Fence;
}

/**
 * Records of threads and runs. Every call is authorized for its caller and limited to the caller's
 * tenant. A run is stored before the conversation workflow accepts it. The run is invisible until
 * {@link admitRun}.
 */
export interface ThreadStore {
  /** Creates a thread. Errors: `already_exists`. */
  createThread(caller: Caller, thread: NewThread): Promise<Thread>;
  /** Returns a thread. Errors: `not_found`, also for a thread that is being deleted. */
  getThread(caller: Caller, threadId: string): Promise<Thread>;
  searchThreads(caller: Caller, query: ThreadQuery): Promise<Thread[]>;
  countThreads(caller: Caller, filter: ThreadFilter): Promise<number>;
  /**
   * Changes a thread. A caller that has just read the thread passes it as `known`, which saves a
   * read. Errors: `not_found`, also if another thread now has the id of `known`.
   */
  updateThread(caller: Caller, threadId: string, patch: ThreadPatch, known?: Thread): Promise<Thread>;
  /**
   * Stores status and interrupts after an edit of the state. Does nothing on a busy thread: the end
   * of its run stores both. Errors: `not_found`.
   */
  settleThread(caller: Caller, threadId: string, settled: SettledState): Promise<void>;
  /**
   * Creates an idle thread with the current metadata, state and history of another thread. Runs and
   * events are not copied. Works also while the original is busy.
   * Errors: `not_found`, `already_exists`.
   */
  copyThread(caller: Caller, threadId: string, copy: ThreadCopy): Promise<Thread>;
  /** Removes every checkpoint that the newest state does not need. Errors: `not_found`. */
  pruneThread(caller: Caller, threadId: string): Promise<void>;
  /**
   * Returns the threads that a sweeper must remove: expired threads, and closed threads that are
   * not deleted yet.
   */
  dueThreads(caller: Caller, query: DueQuery): Promise<DueThread[]>;
  /**
   * Returns idle threads whose history has changed since it was thinned, or has checkpoints that
   * are too old at `now`. The thread that has been due longest comes first.
   */
  thinnableThreads(caller: Caller, query: { now: Date; limit: number }): Promise<ThinnableThread[]>;
  /**
   * Removes the checkpoints that a policy does not keep. Checkpoints that the newest state needs
   * always stay. Removes nothing and returns false if another process thins the thread, the thread
   * is gone, or it has an active run. The thread then becomes due again later, and so it does after
   * an error of the database.
   */
  thinThread(caller: Caller, thread: ThinnableThread, policy: ThinningPolicy, now: Date): Promise<boolean>;
  /**
   * Hides a thread: every later call fails with `not_found`, and no run starts. The thread's data
   * stay. Idempotent. With `identity`, closes only the thread with this identity, and only if it is
   * open.
   * Errors: `not_found`.
   */
  closeThread(caller: Caller, threadId: string, identity?: ThreadIdentity): Promise<void>;
  /** Removes records, runs, head and checkpoints of a closed thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;

  /**
   * Stores a run that is not admitted yet. If a run of the thread has the same `key`, returns that
   * run and `created: false`. An orphan (a run that was never admitted) is removed 7 days after its
   * planned start.
   */
  createRun(caller: Caller, run: NewRun): Promise<{ run: Run; created: boolean }>;
  /** Makes a run visible. Idempotent. */
  admitRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Removes a run that was refused, unless the run has started. */
  discardRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /**
   * Returns a run. With `admittedOnly: false` also returns a run that is not admitted yet, for code
   * that works on a run before its admission. Errors: `not_found`.
   */
  getRun(caller: Caller, threadId: string, runId: string, options?: { admittedOnly?: boolean }): Promise<Run>;
  /** Returns the runs of a thread, newest first. */
  listRuns(caller: Caller, threadId: string, query: RunQuery): Promise<Run[]>;
  /** Returns the pending and running runs of a thread, oldest first. */
  activeRuns(caller: Caller, threadId: string): Promise<Run[]>;
  /**
   * Returns the pending and running runs of all threads of the tenant, by thread, then oldest
   * first.
   */
  allActiveRuns(caller: Caller): Promise<Run[]>;
  /** Makes a working run stop after its next superstep, so that it takes a message. Idempotent. */
  steerRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Stores the reason why a run is being cancelled, if the run has not ended. Idempotent. */
  setCancelReason(caller: Caller, threadId: string, runId: string, reason: string): Promise<void>;
  /**
   * Marks the run as running and admitted, and its thread as busy. From then on an attempt with a
   * lower fence cannot end the run. Resolves to false if the run has ended, and does not change the
   * run then. Idempotent.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has started the run.
   */
  startRun(caller: Caller, threadId: string, runId: string, start: RunStart): Promise<boolean>;
  /**
   * Marks the run as ended and sets the thread's status. Resolves to true if this call ended the
   * run. A run that ended earlier stays unchanged.
   * Errors: `fence_lost` if an attempt with a higher fence has started the run.
   */
  endRun(caller: Caller, threadId: string, end: RunEnd): Promise<boolean>;
  /**
   * Counts a failed attempt of a superstep. Resolves to the number of failed attempts of that
   * superstep.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has taken the run over.
   */
  countFailure(caller: Caller, threadId: string, runId: string, failed: FailedAttempt): Promise<number>;
  /** Removes the run's record after a rollback. Idempotent. */
  removeRun(caller: Caller, threadId: string, runId: string): Promise<void>;
}

/** A message for a run that is working. */
export interface Injection {
  /** Id of the run record that stores the message. */
  runId: string;
  /** The message, in the form of a run's input. */
  input: unknown;
}

/** Messages for working runs. They are stored as runs that are never admitted. */
export interface InjectionStore {
  /**
   * Returns the waiting messages in the order of `runIds`. `taken`: ids of messages that are in the
   * state already or were removed.
   */
  readInjections(
    caller: Caller,
    threadId: string,
    runIds: readonly string[],
  ): Promise<{ waiting: Injection[]; taken: string[] }>;
}

export interface AssistantQuery {
  graphId?: string;
  name?: string;
  metadata?: Record<string, unknown>;
  required: RequiredMetadata;
  limit: number;
  offset: number;
  sortBy?: 'assistant_id' | 'graph_id' | 'name' | 'created_at' | 'updated_at';
  sortOrder?: 'asc' | 'desc';
}

/** A version matches if its metadata have an equal value for each key of `metadata`. */
export type VersionQuery = Pick<AssistantQuery, 'metadata' | 'required' | 'limit' | 'offset'>;

export interface NewAssistant extends Pick<
  Assistant,
  'assistantId' | 'graphId' | 'name' | 'description' | 'config' | 'context' | 'metadata'
> {
  /** What to do if the assistant exists; default `raise` (`already_exists`). */
  ifExists?: 'raise' | 'do_nothing';
}

/** Metadata are merged key by key; every other field is replaced. */
export type AssistantPatch = Partial<
  Pick<Assistant, 'graphId' | 'name' | 'description' | 'config' | 'context' | 'metadata'>
>;

export interface RegisteredGraph {
  graphId: string;
  description?: string;
  config?: Record<string, unknown>;
  context?: unknown;
}

/**
 * Records of assistants and their versions. `idOrGraph` is the id of an assistant, or the name of a
 * graph, which stands for the graph's system assistant. Every change creates a version. A version
 * never changes.
 */
export interface AssistantStore {
  /**
   * Creates the missing system assistants of graphs. The id of a system assistant is the uuid5 of
   * its graph's name in LangGraph's namespace.
   */
  registerGraphs(caller: Caller, graphs: RegisteredGraph[]): Promise<void>;
  /**
   * Creates an assistant. Errors: `already_exists` with `ifExists: 'raise'`; `invalid_argument` for
   * an unregistered graph.
   */
  createAssistant(caller: Caller, assistant: NewAssistant): Promise<Assistant>;
  /**
   * Creates the next version, which runs use from then on. Errors: `not_found`; `invalid_argument`
   * for an unregistered graph; `conflict` if the graph of a system assistant would change.
   */
  updateAssistant(caller: Caller, idOrGraph: string, patch: AssistantPatch): Promise<Assistant>;
  /**
   * Makes an existing version the current version, which runs use. Errors: `not_found`, also for a
   * version that does not exist or does not have the required metadata.
   */
  setLatestVersion(caller: Caller, idOrGraph: string, version: number, required: RequiredMetadata): Promise<Assistant>;
  /** Returns the versions of an assistant, newest first. Errors: `not_found`. */
  listVersions(caller: Caller, idOrGraph: string, query: VersionQuery): Promise<AssistantVersion[]>;
  /**
   * Removes an assistant with its versions. A system assistant is reset to its first version
   * instead, because its graph is still served. Errors: `not_found`.
   */
  deleteAssistant(caller: Caller, idOrGraph: string): Promise<void>;
  /** Returns an assistant. Errors: `not_found`. */
  getAssistant(caller: Caller, idOrGraph: string): Promise<Assistant>;
  searchAssistants(caller: Caller, query: AssistantQuery): Promise<{ assistants: Assistant[]; total: number }>;
}
