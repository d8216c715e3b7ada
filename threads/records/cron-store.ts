import type { Caller, Cron, CronFilters, RequiredMetadata, ScheduleOptions } from '../../protocol/index.js';

export type NewCron = Omit<Cron, 'tenant' | 'rev' | 'createdAt' | 'updatedAt' | 'nextRunAt' | 'createdBy'>;

/**
 * A change of a cron. A field that is `null` is removed, and an absent field stays unchanged.
 * `payload`, `metadata` and `options` are merged key by key.
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
  /** The new auth filters of the cron. They replace the old filters as a whole, without a merge. */
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

/**
 * Kind of a change that is stored in the record of a cron, but perhaps not yet in the cron's
 * Temporal Schedule.
 */
export type CronChange = 'create' | 'update' | 'delete';

/**
 * Records of crons. Each change of a cron must be written twice: to the record and to the cron's
 * Temporal Schedule. So the record marks a change as unsettled until the Schedule has the change
 * too ({@link settleCron}). A sweeper finishes changes that stay unsettled. While the creation or
 * deletion of a cron is unsettled, the cron is invisible.
 */
export interface CronStore {
  /** Stores a new cron and marks its creation as unsettled. */
  createCron(caller: Caller, cron: NewCron): Promise<Cron>;
  /**
   * Returns a cron. With `shownOnly: false` also returns a cron that is being created, because its
   * Schedule may fire already. Errors: `not_found`.
   */
  getCron(caller: Caller, cronId: string, options?: { shownOnly?: boolean }): Promise<Cron>;
  searchCrons(caller: Caller, query: CronQuery): Promise<Cron[]>;
  countCrons(caller: Caller, filter: CronFilter): Promise<number>;
  /** Changes a cron and marks the change as unsettled. Errors: `not_found`. */
  updateCron(caller: Caller, cronId: string, patch: CronPatch): Promise<Cron>;
  /**
   * Marks the cron as settled. `rev` is the revision of the cron's record that the Schedule now
   * matches. If the record has another revision by now, or if the cron is being deleted, changes
   * nothing and returns false.
   */
  settleCron(caller: Caller, cronId: string, rev: number, nextRunAt: Date | undefined): Promise<boolean>;
  /** Stores the time of the Schedule's next firing. */
  noteNextRun(caller: Caller, cronId: string, nextRunAt: Date | undefined): Promise<void>;
  /**
   * Starts the deletion of a cron, and marks the deletion as unsettled. From then on every read of
   * the cron fails with `not_found`. Idempotent. Errors: `not_found` if there is no record.
   */
  closeCron(caller: Caller, cronId: string): Promise<void>;
  /** Removes the record of a cron. Idempotent. */
  removeCron(caller: Caller, cronId: string): Promise<void>;
  /**
   * Returns the unsettled crons whose last change is older than `before`, each with that change.
   * The oldest change comes first.
   */
  unsettledCrons(caller: Caller, before: Date, limit: number): Promise<{ cronId: string; change: CronChange }[]>;
}
