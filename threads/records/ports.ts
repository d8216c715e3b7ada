import type {
  Assistant,
  AssistantVersion,
  Caller,
  EndedRunStatus,
  Fence,
  GivenThreadFields,
  Interrupt,
  KeptError,
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

/** A time to live without a fixed end: it is counted from the time at which it is stored. */
export type NewTtl = Omit<ThreadTtl, 'expiresAt'>;

/** Metadata are merged key by key; every other field is replaced. */
export interface ThreadPatch extends GivenThreadFields {
  ttl?: NewTtl;
}

/** Status and open interrupts of a thread that is not busy. */
export interface SettledState {
  status: Exclude<ThreadStatus, 'busy'>;
  /** Open interrupts, by the id of the LangGraph task that waits for an answer. */
  interrupts: Record<string, Interrupt[]>;
}

export interface DueQuery {
  /** A thread is due if its TTL ends at or before this time. */
  expired: Date;
  /**
   * A thread is also due if it was closed at or before this time and is not deleted yet. Its
   * deletion then counts as interrupted.
   */
  closed: Date;
  limit: number;
}

export interface DueThread {
  threadId: string;
  isClosed: boolean;
  ttl?: ThreadTtl;
}

/** A thread that is due for thinning, which removes older checkpoints according to a policy. */
export interface ThinnableThread {
  threadId: string;
  /**
   * When the thread became due, as stored when the thread was listed. The stored time changes if
   * the state of the thread changes, or if a process begins to thin the thread. If the stored time
   * differs from `since`, {@link ThreadStore.thinThread} does nothing.
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
  | 'tenant'
  | 'status'
  | 'createdAt'
  | 'updatedAt'
  | 'startedAt'
  | 'afterSeq'
  | 'error'
  | 'keptError'
  | 'isSuspect'
  | 'cancelReason'
> & {
  /**
   * Set if the record stores an injection: a message for the active run. If the active run succeeds
   * without taking the message, the record becomes a run of its own. Normally, the record of a run
   * that is not admitted expires. A record with this field does not expire while its message waits.
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
  /**
   * Metadata that the copy gets in addition to those of the original. If both have a key, the value
   * given here is used.
   */
  metadata: Record<string, unknown>;
  /** Identity of the thread to copy. A later thread with the same id is not copied. */
  source?: ThreadIdentity;
}

/** Distinguishes a thread from a later thread that has the same id. */
export type ThreadIdentity = Pick<Thread, 'createdAt'>;

/** How a run has ended, as it is stored in the records of the run and of its thread. */
export interface RunEnd {
  runId: string;
  /** Fence of the attempt that ends the run. */
  fence: Fence;
  status: EndedRunStatus;
  error?: RunError;
  threadStatus: ThreadStatus;
  /** Open interrupts, by the id of the LangGraph task that waits for an answer. */
  interrupts: Record<string, Interrupt[]>;
  /**
   * Whether the run is rolled back. If so, its record is hidden from clients at once, and is
   * removed after the run's last event was stored.
   */
  isRolledBack?: boolean;
}

/** A run that has not ended, as a sweep needs it: without its request. */
export type UnchangedRun = Pick<Run, 'threadId' | 'runId' | 'status' | 'updatedAt'>;

/** How a lost run ends. A run is lost if no conversation will execute it. */
export interface LostRunEnd {
  error: RunError;
  /** Open interrupts, by the id of the LangGraph task that waits for an answer. */
  interrupts: Record<string, Interrupt[]>;
  /**
   * Whether the thread gets the status `error` even if the run has not made it busy. True for the
   * newest run of the thread. A thread that the run has made busy gets the status in any case.
   */
  isNewest: boolean;
}

/** An attempt that starts a run or takes it over from an earlier attempt. */
export interface RunStart {
  /**
   * Offset in the thread's event log after which the events of the run begin. Each attempt passes
   * such an offset, and the lowest is stored.
   */
  afterSeq: number;
  fence: Fence;
}

/** The whole error of a run that is about to end, kept by the attempt that failed. */
export interface FailedRun extends KeptError {
  /** Fence of the attempt that failed. */
  fence: Fence;
}

/** An attempt in which a node failed. */
export interface FailedAttempt {
  /**
   * A name that only this superstep of the run has. Its failures are counted under this name. 1 to
   * 64 letters, digits, `_` or `-`.
   */
  superstep: string;
  /** Fence of the attempt that failed. */
  fence: Fence;
}

/**
 * Records of threads and runs. Every call is authorized for its caller and limited to the caller's
 * tenant. A run is stored before the conversation workflow accepts it. Clients cannot see the run
 * until it is admitted, with {@link admitRun} or {@link startRun}.
 */
export interface ThreadStore {
  /**
   * Creates a thread. Errors: `already_exists`; `thread_closed` if a thread with this id is being
   * deleted.
   */
  createThread(caller: Caller, thread: NewThread): Promise<Thread>;
  /** Returns a thread. Errors: `not_found`, also for a thread that is being deleted. */
  getThread(caller: Caller, threadId: string): Promise<Thread>;
  searchThreads(caller: Caller, query: ThreadQuery): Promise<Thread[]>;
  countThreads(caller: Caller, filter: ThreadFilter): Promise<number>;
  /**
   * Updates a thread. A caller that has just read the thread passes it as `known`, which saves a
   * read.
   * Errors: `not_found`, also if `known` was deleted and a new thread has its id.
   */
  updateThread(caller: Caller, threadId: string, patch: ThreadPatch, known?: Thread): Promise<Thread>;
  /**
   * Stores the status and the open interrupts of a thread after its state was edited from outside
   * of a run. Does nothing if the thread is busy, because both are stored when its run ends.
   * Errors: `not_found`.
   */
  settleThread(caller: Caller, threadId: string, settled: SettledState): Promise<void>;
  /**
   * Creates an idle thread with the current metadata, state and checkpoint history of another
   * thread. Runs and events are not copied. The original may be busy during the copy.
   * Errors: `not_found`, `already_exists`.
   */
  copyThread(caller: Caller, threadId: string, copy: ThreadCopy): Promise<Thread>;
  /** Removes every checkpoint that the thread's newest state does not need. Errors: `not_found`. */
  pruneThread(caller: Caller, threadId: string): Promise<void>;
  /**
   * Returns the threads that a sweeper must remove or prune: threads whose TTL has ended and that
   * are not busy, and closed threads that are not deleted yet.
   */
  dueThreads(caller: Caller, query: DueQuery): Promise<DueThread[]>;
  /**
   * Returns the threads that must be thinned. Their history has changed since the last thinning, or
   * has checkpoints that are too old at `now`. Busy threads are left out. The thread that has been
   * due longest comes first.
   */
  thinnableThreads(caller: Caller, query: { now: Date; limit: number }): Promise<ThinnableThread[]>;
  /**
   * Removes the checkpoints that a policy does not keep, except those that the newest state needs.
   * Removes nothing and returns false in these cases: another process thins the thread; the thread
   * has changed since it was listed; the thread is gone; the thread has an active run. If the
   * thread could not be thinned, for example because of a database error, it becomes due again
   * later.
   */
  thinThread(caller: Caller, thread: ThinnableThread, policy: ThinningPolicy, now: Date): Promise<boolean>;
  /**
   * Closes a thread: clients no longer see it or its runs, and no run of it starts. The data of the
   * thread stay until {@link deleteThread}. It is no error to close a closed thread again, unless
   * `identity` is given. With `identity`, closes only the thread that `identity` describes.
   * Errors: `not_found`; with `identity` also if the thread is closed already, or if a later thread
   * has the same id now.
   */
  closeThread(caller: Caller, threadId: string, identity?: ThreadIdentity): Promise<void>;
  /**
   * Removes a closed thread with its runs, its checkpoints and its head (the document that says
   * which checkpoint is the newest). Idempotent.
   */
  deleteThread(caller: Caller, threadId: string): Promise<void>;

  /**
   * Stores a run that is not admitted yet. If the thread has a run with the same id or the same
   * idempotency key (`key`), returns that run and `created: false`. A run that is never admitted is
   * removed 7 days after its planned start, except an injection whose message still waits.
   * Errors: `not_found` if the thread does not exist or is closed.
   */
  createRun(caller: Caller, run: NewRun): Promise<{ run: Run; created: boolean }>;
  /** Admits a run: makes it visible to clients. Idempotent. */
  admitRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Removes a run that the conversation has refused. Does nothing if the run has started. */
  discardRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /**
   * Returns a run. With `admittedOnly: false` also returns a run that is not admitted, for code
   * that must find a run before clients may see it. Errors: `not_found`.
   */
  getRun(caller: Caller, threadId: string, runId: string, options?: { admittedOnly?: boolean }): Promise<Run>;
  /** Returns the runs of a thread, newest first. */
  listRuns(caller: Caller, threadId: string, query: RunQuery): Promise<Run[]>;
  /** Returns the pending and running runs of a thread, oldest first. */
  activeRuns(caller: Caller, threadId: string): Promise<Run[]>;
  /**
   * Returns the pending and running runs of all threads of the tenant, sorted by thread. Within a
   * thread, the oldest run comes first.
   */
  allActiveRuns(caller: Caller): Promise<Run[]>;
  /**
   * Tells the active run that an injected message waits for it. The current step of the run then
   * ends at the next possible boundary between two supersteps, and the next step takes the message.
   * Idempotent.
   */
  steerRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Stores the reason why a run is being cancelled, if the run has not ended. Idempotent. */
  setCancelReason(caller: Caller, threadId: string, runId: string, reason: string): Promise<void>;
  /**
   * Marks the run as running and admitted, and its thread as busy. From then on an attempt with a
   * lower fence cannot end the run. If the run has ended already, does not change the run and
   * resolves to false. Idempotent.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has started the run.
   */
  startRun(caller: Caller, threadId: string, runId: string, start: RunStart): Promise<boolean>;
  /**
   * Marks the run as ended and sets the status of its thread. Resolves to true if this call has
   * ended the run. A run that has ended already stays unchanged.
   * Errors: `fence_lost` if an attempt with a higher fence has started the run.
   */
  endRun(caller: Caller, threadId: string, end: RunEnd): Promise<boolean>;
  /**
   * Returns the pending and running runs of all threads of the tenant that lists show and whose
   * records have not changed since `before`.
   */
  unchangedRuns(caller: Caller, before: Date): Promise<UnchangedRun[]>;
  /**
   * Ends a lost run with the status `error`: no conversation will execute it. `run` is the record
   * as it was read when the run was found lost. If the record has changed since, an attempt may
   * have taken the run over; then this call does nothing and resolves to false.
   */
  endLostRun(caller: Caller, run: Run, end: LostRunEnd): Promise<boolean>;
  /**
   * Counts a failed attempt of a superstep. Resolves to the number of failed attempts of that
   * superstep so far.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has taken the run over.
   */
  countFailure(caller: Caller, threadId: string, runId: string, failed: FailedAttempt): Promise<number>;
  /**
   * Marks a run that was executing when its process crashed. `fence` is that of the attempt. Does
   * nothing if the run is gone, or if an attempt with a higher fence has taken it over. Idempotent.
   */
  markSuspect(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<void>;
  /**
   * Keeps the whole error of a run in the run's record until the run ends. Texts of more than some
   * MB are cut. A later call replaces the error. Does nothing if the run has ended, or if its record
   * has no room for the error. Idempotent.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has taken the run over.
   */
  keepError(caller: Caller, threadId: string, runId: string, failed: FailedRun): Promise<void>;
  /** Removes the record of a run that was rolled back. Idempotent. */
  removeRun(caller: Caller, threadId: string, runId: string): Promise<void>;
}

/** A message for the active run, which the run takes between two supersteps. */
export interface Injection {
  /** Id of the run record that stores the message. */
  runId: string;
  /** The message, in the form of a run's input. */
  input: unknown;
}

/**
 * Messages for active runs. Each message is stored in a run record of its own. This record is not
 * admitted, so clients do not see it as a run.
 */
export interface InjectionStore {
  /**
   * Looks up messages by the ids of their run records. Returns in `waiting` the messages that no
   * step has taken, in the order of `runIds`. Returns in `taken` the ids of the messages that are
   * already in the state of the thread, or whose records were removed.
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

/**
 * Filter and paging for the versions of an assistant. A version matches if its metadata contain all
 * keys and values of `metadata` and of `required`.
 */
export type VersionQuery = Pick<AssistantQuery, 'metadata' | 'required' | 'limit' | 'offset'>;

export interface NewAssistant extends Pick<
  Assistant,
  'assistantId' | 'graphId' | 'name' | 'description' | 'config' | 'context' | 'metadata'
> {
  /**
   * What to do if the assistant exists already: throw `already_exists` (`raise`, the default), or
   * return the existing assistant (`do_nothing`).
   */
  ifExists?: 'raise' | 'do_nothing';
}

/**
 * A change of an assistant. Metadata are merged key by key. Every other field that is given is
 * replaced.
 */
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
 * graph; the name stands for the graph's system assistant. Every update of an assistant creates a
 * version. A stored version never changes.
 */
export interface AssistantStore {
  /**
   * Creates the system assistants of graphs, unless they exist. The id of a system assistant is the
   * uuid5 of its graph's name, in the UUID namespace that LangGraph uses for this.
   */
  registerGraphs(caller: Caller, graphs: RegisteredGraph[]): Promise<void>;
  /**
   * Creates an assistant. Errors: `already_exists` if the assistant exists and `ifExists` is
   * `raise`; `invalid_argument` for a graph that is not registered.
   */
  createAssistant(caller: Caller, assistant: NewAssistant): Promise<Assistant>;
  /**
   * Changes an assistant by creating its next version, which new runs use from then on. Errors:
   * `not_found`; `invalid_argument` for a graph that is not registered; `conflict` if the graph of
   * a system assistant would change.
   */
  updateAssistant(caller: Caller, idOrGraph: string, patch: AssistantPatch): Promise<Assistant>;
  /**
   * Makes a stored version of an assistant the current version, which new runs use. Errors:
   * `not_found`, also for a version that does not exist or does not have the required metadata.
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
