import type { Caller, Cron, CronFilters, RequiredMetadata, ScheduleOptions } from '../../protocol/index.js';

export type NewCron = Omit<Cron, 'tenant' | 'rev' | 'createdAt' | 'updatedAt' | 'nextRunAt' | 'createdBy'>;

/** Null clears; what is absent stays. Keys of `payload`, `metadata` and `options` are merged one by one. */
export interface CronPatch {
  schedule?: string;
  timezone?: string | null;
  endTime?: Date | null;
  enabled?: boolean;
  onRunCompleted?: 'delete' | 'keep';
  payload?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  options?: Partial<ScheduleOptions>;
  /** Replaced as a whole. */
  filters?: CronFilters | null;
}

export interface CronFilter {
  assistantId?: string;
  threadId?: string;
  enabled?: boolean;
  /** Must be contained in the cron's. */
  metadata?: Record<string, unknown>;
  required: RequiredMetadata;
}

export interface CronQuery extends CronFilter {
  limit: number;
  offset: number;
  sortBy?: 'cron_id' | 'assistant_id' | 'thread_id' | 'created_at' | 'updated_at' | 'next_run_date';
  sortOrder?: 'asc' | 'desc';
}

/** A change that the record has and the cron's Schedule may not have yet. */
export type CronChange = 'create' | 'update' | 'delete';

/**
 * Records of crons. A record and its Schedule are two writes, so a change stands in the record as unsettled until the Schedule has it
 * ({@link settleCron}), and whoever finds it there for long finishes it. A cron whose creation or deletion is unsettled is shown to nobody.
 */
export interface CronStore {
  /** Unsettled: `create`. */
  createCron(caller: Caller, cron: NewCron): Promise<Cron>;
  /** Errors: `not_found`. With `shownOnly: false` also one that is being made (it may fire already). */
  getCron(caller: Caller, cronId: string, options?: { shownOnly?: boolean }): Promise<Cron>;
  searchCrons(caller: Caller, query: CronQuery): Promise<Cron[]>;
  countCrons(caller: Caller, filter: CronFilter): Promise<number>;
  /** Unsettled: `update`. Errors: `not_found`. */
  updateCron(caller: Caller, cronId: string, patch: CronPatch): Promise<Cron>;
  /** The Schedule is as this revision says; false where the cron has changed since. */
  settleCron(caller: Caller, cronId: string, rev: number, nextRunAt: Date | undefined): Promise<boolean>;
  /** Notes when the Schedule fires next. */
  noteNextRun(caller: Caller, cronId: string, nextRunAt: Date | undefined): Promise<void>;
  /** Unsettled: `delete`. From now on `not_found` to everybody. Idempotent. Errors: `not_found`. */
  closeCron(caller: Caller, cronId: string): Promise<void>;
  /** Takes the record away. Idempotent. */
  removeCron(caller: Caller, cronId: string): Promise<void>;
  /** Those that have been unsettled since before that moment, oldest first. */
  unsettledCrons(caller: Caller, before: Date, limit: number): Promise<{ cronId: string; change: CronChange }[]>;
}
