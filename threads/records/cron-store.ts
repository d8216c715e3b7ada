import type { Caller, Cron, CronFilters, RequiredMetadata, ScheduleOptions } from '../../protocol/index.js';

export type NewCron = Omit<Cron, 'tenant' | 'rev' | 'createdAt' | 'updatedAt' | 'nextRunAt' | 'createdBy'>;

/**
 * A change of a cron. Null clears a field. An absent field stays unchanged. Keys of `payload`,
 * `metadata` and `options` are merged one by one.
 */
export interface CronPatch {
  schedule?: string;
  timezone?: string | null;
  endTime?: Date | null;
  enabled?: boolean;
  onRunCompleted?: 'delete' | 'keep';
  payload?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  options?: Partial<ScheduleOptions>;
  /** Replaces the filters as a whole; they are not merged. */
  filters?: CronFilters | null;
}

export interface CronFilter {
  assistantId?: string;
  threadId?: string;
  enabled?: boolean;
  /** The cron's metadata must contain these keys and values. */
  metadata?: Record<string, unknown>;
  required: RequiredMetadata;
}

export interface CronQuery extends CronFilter {
  limit: number;
  offset: number;
  sortBy?: 'cron_id' | 'assistant_id' | 'thread_id' | 'created_at' | 'updated_at' | 'next_run_date';
  sortOrder?: 'asc' | 'desc';
}

/** A change that the record has, but that the cron's Schedule may not have yet. */
export type CronChange = 'create' | 'update' | 'delete';

/**
 * Records of crons. The record and the Schedule of a cron are two writes. So the record marks each
 * change as unsettled until the Schedule has the change ({@link settleCron}). A sweeper finishes
 * changes that stay unsettled. While the creation or deletion of a cron is unsettled, the cron is
 * invisible.
 */
export interface CronStore {
  /** Stores a cron with the unsettled change `create`. */
  createCron(caller: Caller, cron: NewCron): Promise<Cron>;
  /**
   * Returns a cron. With `shownOnly: false` also returns a cron that is being created, because its
   * Schedule may fire already. Errors: `not_found`.
   */
  getCron(caller: Caller, cronId: string, options?: { shownOnly?: boolean }): Promise<Cron>;
  searchCrons(caller: Caller, query: CronQuery): Promise<Cron[]>;
  countCrons(caller: Caller, filter: CronFilter): Promise<number>;
  /** Changes a cron and stores the unsettled change `update`. Errors: `not_found`. */
  updateCron(caller: Caller, cronId: string, patch: CronPatch): Promise<Cron>;
  /**
   * Records that the Schedule matches this revision. Returns false if the cron has changed since.
   */
  settleCron(caller: Caller, cronId: string, rev: number, nextRunAt: Date | undefined): Promise<boolean>;
  /** Records when the Schedule fires next. */
  noteNextRun(caller: Caller, cronId: string, nextRunAt: Date | undefined): Promise<void>;
  /**
   * Stores the unsettled change `delete`. From then on every read of the cron fails with
   * `not_found`. Idempotent. Errors: `not_found`.
   */
  closeCron(caller: Caller, cronId: string): Promise<void>;
  /** Removes the record. Idempotent. */
  removeCron(caller: Caller, cronId: string): Promise<void>;
  /**
   * Returns the crons that have been unsettled since before the given time, oldest change first.
   */
  unsettledCrons(caller: Caller, before: Date, limit: number): Promise<{ cronId: string; change: CronChange }[]>;
}
