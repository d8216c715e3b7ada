import type { Origin } from './caller.js';
import type { Fence } from './fence.js';

export const THREAD_STATUSES = ['idle', 'busy', 'interrupted', 'error'] as const;
export type ThreadStatus = (typeof THREAD_STATUSES)[number];

/**
 * Longest time to live of a thread: a hundred years. Without a limit, an expiry could exceed the
 * range of JavaScript's dates. MongoDB would then store it as a date in the past.
 */
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

/** A question that an interrupt asks a person, in the JSON form of LangGraph's `Interrupt`. */
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
  /** Open questions, by the id of the Pregel task that asks them. */
  interrupts: Record<string, Interrupt[]>;
  /** Why the thread has the status `error`. */
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
 * Fields of a thread that its creator sets. A copy of the thread keeps them. To add such a field,
 * extend this list, `schemas/thread.ts` and the wire format. The types of records and port
 * interfaces are derived from this list.
 */
export const GIVEN_THREAD_FIELDS = ['metadata', 'config'] as const satisfies (keyof Thread)[];
export type GivenThreadFields = Partial<Pick<Thread, (typeof GIVEN_THREAD_FIELDS)[number]>>;

/**
 * The head of a thread: the newest committed checkpoint of each checkpoint namespace in use (`''`
 * is the root graph). It is stored, because checkpoint ids do not show which one is newest: the
 * clocks of writers differ. `rev` counts the commits, and each commit is a compare-and-set on
 * `rev`.
 */
export interface Head {
  rev: number;
  fence: Fence;
  heads: Readonly<Record<string, NamespaceHead>>;
}

export interface NamespaceHead {
  checkpointId: string;
  /**
   * Ordinal of the run that committed the checkpoint: the run's number in its thread. 0 if the
   * checkpoint was written outside of a run (`updateState`).
   */
  run: number;
  /** LangGraph's step number of this checkpoint. */
  step: number;
  /**
   * LangGraph's step number at which the run began. The run's recursion limit counts from this
   * number.
   */
  base: number;
  /**
   * Offset of the thread's last event when the checkpoint was committed. The checkpoint contains
   * the effects of all events that its run emitted in this namespace up to this offset.
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
  /** Number of the assistant's version that runs use. */
  version: number;
  /** Whether this is the system assistant of its graph. The server creates it, not a client. */
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
