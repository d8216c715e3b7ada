import type {
  Assistant,
  AssistantVersion,
  Caller,
  EndedRunStatus,
  Fence,
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

export interface NewThread {
  threadId: string;
  metadata?: Record<string, unknown>;
  config?: Record<string, unknown>;
  /** What to do when it is there already; default `raise` (`already_exists`). */
  ifExists?: 'raise' | 'do_nothing';
  ttl?: NewTtl;
}

/** Counts from the moment it is set. */
export type NewTtl = Omit<ThreadTtl, 'expiresAt'>;

export interface ThreadPatch {
  metadata?: Record<string, unknown>;
  ttl?: NewTtl;
}

/** How a thread stands when no run works on it. */
export interface ThreadStanding {
  status: Exclude<ThreadStatus, 'busy'>;
  /** Open questions by Pregel task id. */
  interrupts: Record<string, Interrupt[]>;
}

export interface DueQuery {
  /** Time of those that expire is over now. */
  expired: Date;
  /** Deletions that began before are taken for cut off. */
  closed: Date;
  limit: number;
}

export interface DueThread {
  threadId: string;
  isClosed: boolean;
  ttl?: ThreadTtl;
}

/** A thread whose history is to be thinned. */
export interface ThinnableThread {
  threadId: string;
  /** Since when; another value once somebody else has seen to it, or its state has changed. */
  since: Date;
}

export interface ThreadFilter {
  ids?: string[];
  /** Must be contained in the thread's. */
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
  /** It is a message for a turn at work, and a run only if that turn does not take it: never swept as an orphan. */
  waitsForTurn?: true;
};

export interface RunQuery {
  status?: RunStatus;
  limit: number;
  offset: number;
}

export interface ThreadCopy {
  copyId: string;
  /** Laid over the metadata of the thread that is copied. */
  metadata: Record<string, unknown>;
  /** Copies only this very thread, not one that was made anew under its id. */
  source?: ThreadMark;
}

/** Tells a thread from one that is made anew under its id. */
export type ThreadMark = Pick<Thread, 'createdAt'>;

/** How a run ended, for its record and its thread's. */
export interface RunEnd {
  runId: string;
  /** Fence of the attempt that ends it. */
  fence: Fence;
  status: EndedRunStatus;
  error?: RunError;
  threadStatus: ThreadStatus;
  /** Open questions by Pregel task id. */
  interrupts: Record<string, Interrupt[]>;
}

/** An attempt that starts a run or takes it over from an earlier attempt. */
export interface RunStart {
  /** Offset after which the run's events begin; the lowest that was ever given counts. */
  afterSeq: number;
  fence: Fence;
}

/** An attempt that ended in an error of a node. */
export interface FailedAttempt {
  /** The superstep that was due, as 1 to 64 letters, digits, `_` or `-`. */
  superstep: string;
  /** Fence of the attempt that failed. */
  fence: Fence;
}

/**
 * Records of threads and runs. Every call takes the caller first, is authorized, and touches that tenant alone.
 * A run is invisible until {@link admitRun}: made first, it is shown once the conversation workflow has accepted it.
 */
export interface ThreadStore {
  /** Errors: `already_exists` with `ifExists: 'raise'`. */
  createThread(caller: Caller, thread: NewThread): Promise<Thread>;
  /** Errors: `not_found`, also for a thread being deleted. */
  getThread(caller: Caller, threadId: string): Promise<Thread>;
  searchThreads(caller: Caller, query: ThreadQuery): Promise<Thread[]>;
  countThreads(caller: Caller, filter: ThreadFilter): Promise<number>;
  /**
   * Merges the metadata, key by key; into `known` where the caller has just read it, which spares a read.
   * Errors: `not_found`, also where the thread is not the `known` one any more.
   */
  updateThread(caller: Caller, threadId: string, patch: ThreadPatch, known?: Thread): Promise<Thread>;
  /** How a thread stands after its state was edited; of a busy one its run will tell. Errors: `not_found`. */
  settleThread(caller: Caller, threadId: string, standing: ThreadStanding): Promise<void>;
  /**
   * A new idle thread with the metadata, state and history that another has now, also while a run works on that. Its runs and events stay.
   * Errors: `not_found`, `already_exists`.
   */
  copyThread(caller: Caller, threadId: string, copy: ThreadCopy): Promise<Thread>;
  /** Takes away every checkpoint that the newest state does not stand on. Errors: `not_found`. */
  pruneThread(caller: Caller, threadId: string): Promise<void>;
  /** Threads that a sweeper has to see to. */
  dueThreads(caller: Caller, query: DueQuery): Promise<DueThread[]>;
  /** Idle threads whose history was not thinned since it changed, or has checkpoints that are too old now: the longest due first. */
  thinnableThreads(caller: Caller, query: { now: Date; limit: number }): Promise<ThinnableThread[]>;
  /**
   * Takes away the checkpoints that a policy does not keep; never what the newest state stands on. False, and nothing is done, where
   * another process has the thread, it is gone, or a run waits or works: it is due again later. Errors: those of the database; due again later too.
   */
  thinThread(caller: Caller, thread: ThinnableThread, policy: ThinningPolicy, now: Date): Promise<boolean>;
  /**
   * After it the thread is `not_found` to everybody and takes no run; its data are still there. Idempotent. With `mark` it closes only
   * that very thread, and only while it is open. Errors: `not_found`.
   */
  closeThread(caller: Caller, threadId: string, mark?: ThreadMark): Promise<void>;
  /** Removes records, runs, head and checkpoints of a closed thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;

  /**
   * Stores a run, not yet admitted. With a `key` that a run of the thread already has, returns that run and `created: false`.
   * An orphan (never admitted) is swept 7 days after it would have begun.
   */
  createRun(caller: Caller, run: NewRun): Promise<{ run: Run; created: boolean }>;
  /** Makes a run visible. Idempotent. */
  admitRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Takes away a run that was refused, if it never started. */
  discardRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Errors: `not_found`. With `admittedOnly: false` also shows a run not yet admitted (the pump needs that). */
  getRun(caller: Caller, threadId: string, runId: string, options?: { admittedOnly?: boolean }): Promise<Run>;
  /** Newest first. */
  listRuns(caller: Caller, threadId: string, query: RunQuery): Promise<Run[]>;
  /** Pending and running runs of a thread, oldest first. */
  activeRuns(caller: Caller, threadId: string): Promise<Run[]>;
  /** Pending and running runs of all the tenant's threads, by thread and age. */
  allActiveRuns(caller: Caller): Promise<Run[]>;
  /** Has a run at work stop at its next superstep, to take a message. Idempotent. */
  steerRun(caller: Caller, threadId: string, runId: string): Promise<void>;
  /** Says why a run that has not ended is being cancelled. Idempotent. */
  setCancelReason(caller: Caller, threadId: string, runId: string, reason: string): Promise<void>;
  /**
   * Marks the run as running (and admitted) and its thread as busy. From then on an attempt with a lower fence cannot end it.
   * Resolves to false if the run has ended; it stays so. Idempotent.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has started it.
   */
  startRun(caller: Caller, threadId: string, runId: string, start: RunStart): Promise<boolean>;
  /**
   * Marks the run as ended and sets the thread's status. A run that has ended stays as it is; true if this call ended it.
   * Errors: `fence_lost` if an attempt with a higher fence has started it.
   */
  endRun(caller: Caller, threadId: string, end: RunEnd): Promise<boolean>;
  /**
   * Counts one more failed attempt of a superstep. Resolves to the new count of that superstep.
   * Errors: `not_found`; `fence_lost` if an attempt with a higher fence has taken the run over.
   */
  countFailure(caller: Caller, threadId: string, runId: string, failed: FailedAttempt): Promise<number>;
  /** Removes the run's record (rollback). Idempotent. */
  removeRun(caller: Caller, threadId: string, runId: string): Promise<void>;
}

/** A message for a run that is working. */
export interface Injection {
  /** Id of its record, which is one of a run. */
  runId: string;
  /** What a run of its own would have as input. */
  input: unknown;
}

/** Messages for working runs. They are stored as runs that nobody admitted. */
export interface InjectionStore {
  /** In the given order. `taken`: ids of messages that are in the state already, or are gone. */
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

/** `metadata`: every given key must be equal. */
export type VersionQuery = Pick<AssistantQuery, 'metadata' | 'required' | 'limit' | 'offset'>;

export interface NewAssistant extends Pick<
  Assistant,
  'assistantId' | 'graphId' | 'name' | 'description' | 'config' | 'context' | 'metadata'
> {
  /** What to do when it is there already; default `raise` (`already_exists`). */
  ifExists?: 'raise' | 'do_nothing';
}

/** What to change; metadata are merged key by key, everything else is replaced. */
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
 * Records of assistants and of their versions. An assistant is named by its id, or by a graph's name, which stands for the graph's system
 * assistant. Every change is a new version; a version is never rewritten.
 */
export interface AssistantStore {
  /** Makes the system assistant of each graph (id = uuid5 of the graph's name in LangGraph's namespace) where missing. */
  registerGraphs(caller: Caller, graphs: RegisteredGraph[]): Promise<void>;
  /** Errors: `already_exists` with `ifExists: 'raise'`, `invalid_argument` for a graph that nobody registered. */
  createAssistant(caller: Caller, assistant: NewAssistant): Promise<Assistant>;
  /** Makes the next version, the one that runs use from now on. Errors: `not_found`; `invalid_argument` for a graph that nobody registered; `conflict` where a system assistant would leave its graph. */
  updateAssistant(caller: Caller, idOrGraph: string, patch: AssistantPatch): Promise<Assistant>;
  /** Makes an earlier (or later) version the one that runs use. Errors: `not_found`, also for a version that does not exist or is not as required. */
  setLatestVersion(caller: Caller, idOrGraph: string, version: number, required: RequiredMetadata): Promise<Assistant>;
  /** Newest first. Errors: `not_found`. */
  listVersions(caller: Caller, idOrGraph: string, query: VersionQuery): Promise<AssistantVersion[]>;
  /** Removes it with its versions. A system assistant goes back to its first version instead, since its graph is still served. Errors: `not_found`. */
  deleteAssistant(caller: Caller, idOrGraph: string): Promise<void>;
  /** Errors: `not_found`. */
  getAssistant(caller: Caller, idOrGraph: string): Promise<Assistant>;
  searchAssistants(caller: Caller, query: AssistantQuery): Promise<{ assistants: Assistant[]; total: number }>;
}
