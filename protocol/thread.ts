import type { Origin } from './caller.js';
import type { Fence } from './fence.js';

export const THREAD_STATUSES = ['idle', 'busy', 'interrupted', 'error'] as const;
export type ThreadStatus = (typeof THREAD_STATUSES)[number];

/** A hundred years. A later expiry exceeds the range of dates and would be in the past. */
export const MAX_TTL_MINUTES = 52_560_000;

/**
 * What happens to an expired thread. `delete`: the thread is deleted. `keep_latest`: its older
 * checkpoints are deleted and its time to live starts again.
 */
export const TTL_STRATEGIES = ['delete', 'keep_latest'] as const;
export type TtlStrategy = (typeof TTL_STRATEGIES)[number];

export interface ThreadTtl {
  strategy: TtlStrategy;
  minutes: number;
  expiresAt: Date;
}

/** A question to a person, as LangGraph's `Interrupt` looks on the wire. */
export interface Interrupt {
  id?: string;
  value?: unknown;
}

export interface Thread {
  tenant: string;
  threadId: string;
  status: ThreadStatus;
  metadata: Record<string, unknown>;
  /** Default config of the thread's runs. */
  config: Record<string, unknown>;
  /** Open questions by Pregel task id. */
  interrupts: Record<string, Interrupt[]>;
  /** Cause of status `error`. */
  error?: { error: string; message: string };
  ttl?: ThreadTtl;
  /** The caller that created the thread. Absent in records that are older than this field. */
  createdBy?: Origin;
  createdAt: Date;
  updatedAt: Date;
  /** When a run last ended, or the state was last edited. */
  stateUpdatedAt: Date;
}

/**
 * Fields of a thread that its creator gives. A copy of the thread takes them over; the records and
 * the ports need no change for a new one.
 */
export const GIVEN_THREAD_FIELDS = ['metadata', 'config'] as const satisfies (keyof Thread)[];
export type GivenThreadFields = Partial<Pick<Thread, (typeof GIVEN_THREAD_FIELDS)[number]>>;

/**
 * The head of a thread. It names the newest committed checkpoint of each checkpoint namespace in use
 * (`''` is the root), because ids do not show which checkpoint is newest: clocks differ. It also
 * counts the commits in `rev`. Each commit is a compare-and-set on `rev`.
 */
export interface Head {
  rev: number;
  fence: Fence;
  heads: Readonly<Record<string, NamespaceHead>>;
}

export interface NamespaceHead {
  checkpointId: string;
  /**
   * Ordinal of the run that committed the checkpoint. 0: written outside of a run (`updateState`).
   */
  run: number;
  /** LangGraph's step number of that checkpoint. */
  step: number;
  /** LangGraph's step number at which the run began. Recursion limits count from this number. */
  base: number;
  /**
   * Offset of the thread's last event at the commit. The run's events in this namespace are
   * committed up to this offset.
   */
  tail: number;
}

export interface Assistant {
  tenant: string;
  assistantId: string;
  graphId: string;
  name: string;
  description: string | null;
  config: Record<string, unknown>;
  context: unknown;
  metadata: Record<string, unknown>;
  /** The version that runs use. */
  version: number;
  /** Whether this is the system assistant of its graph, which no user created. */
  isSystem: boolean;
  createdAt: Date;
  updatedAt: Date;
}

/** An immutable version of an assistant. */
export type AssistantVersion = Omit<Assistant, 'updatedAt'>;

/**
 * Metadata that marks the thread of a stateless run for deletion. The run is deleted with its
 * thread.
 */
export const STATELESS_METADATA = { colloquy_stateless: true } as const;
