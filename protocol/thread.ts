import type { Origin } from './caller.js';
import type { Fence } from './fence.js';

export const THREAD_STATUSES = ['idle', 'busy', 'interrupted', 'error'] as const;
export type ThreadStatus = (typeof THREAD_STATUSES)[number];

/** A hundred years: a time beyond what dates can say would be over at once. */
export const MAX_TTL_MINUTES = 52_560_000;

/** What happens to a thread whose time is over: it goes, or only its older checkpoints do (and its time begins anew). */
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
  /** Who made it; absent in records from before it was kept. */
  createdBy?: Origin;
  createdAt: Date;
  updatedAt: Date;
  /** When a run last ended, or the state was last edited. */
  stateUpdatedAt: Date;
}

/**
 * Where a thread's state stands. `heads` has the newest committed checkpoint of every live namespace (`''` is the root);
 * "newest" is never the highest checkpoint id, clocks lie. `rev` counts commits: a commit is a compare-and-set on it.
 */
export interface Head {
  rev: number;
  fence: Fence;
  heads: Readonly<Record<string, NamespaceHead>>;
}

export interface NamespaceHead {
  checkpointId: string;
  /** Ordinal of the run that committed it; 0: written outside of any run (`updateState`). */
  run: number;
  /** LangGraph's step number of that checkpoint. */
  step: number;
  /** Step number the run found there when it began; recursion limits count from it. */
  base: number;
  /** Offset of the thread's last event when it was committed: what the run said in this namespace up to there is committed too. */
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
  /** It stands for its graph: the project has it, no user made it. */
  isSystem: boolean;
  createdAt: Date;
  updatedAt: Date;
}

/** An assistant as it was made or changed at one time; never rewritten. */
export type AssistantVersion = Omit<Assistant, 'updatedAt'>;

/** Marks the thread of a stateless run that nobody wants to keep, and so the run. */
export const STATELESS_METADATA = { colloquy_stateless: true } as const;
