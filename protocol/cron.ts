import type { Principal } from './caller.js';

/**
 * What happens to a firing while the run of the previous one has not ended. Temporal's terms,
 * without `terminate_other`, which would leave a run behind.
 */
export const OVERLAP_POLICIES = ['allow_all', 'skip', 'buffer_one', 'buffer_all', 'cancel_other'] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

/** Options of Temporal's Schedules that LangGraph's crons do not have. */
export interface ScheduleOptions {
  overlap: OverlapPolicy;
  /**
   * Firings missed in an outage of the scheduler are made up for if they are not older than this.
   */
  catchupWindowSeconds: number;
  /** Each firing is delayed by a random time up to this. */
  jitterSeconds: number;
}

/** As on LangGraph's server, firings may overlap; the thread's multitask strategy decides. */
export const DEFAULT_SCHEDULE_OPTIONS: ScheduleOptions = {
  overlap: 'allow_all',
  catchupWindowSeconds: 600,
  jitterSeconds: 0,
};

/**
 * The filters of a project's auth at the time the cron was made: metadata that a record must have
 * to be visible to its creator.
 */
export interface CronFilters {
  /** Of `threads:create_run`; absent: every thread. */
  threads?: Record<string, unknown>;
  /** Of `assistants:read`; absent: every assistant. */
  assistants?: Record<string, unknown>;
}

export interface Cron {
  tenant: string;
  cronId: string;
  assistantId: string;
  /** Absent: every firing makes a new thread. */
  threadId?: string;
  schedule: string;
  /** IANA name; absent: UTC. */
  timezone?: string;
  endTime?: Date;
  enabled: boolean;
  /** What happens to the thread that a firing made. */
  onRunCompleted: 'delete' | 'keep';
  /** Fields of a run's body, as the API takes them. */
  payload: Record<string, unknown>;
  metadata: Record<string, unknown>;
  options: ScheduleOptions;
  /**
   * Filters applied to its firings. No client sees or sets them. Absent: the project has no auth.
   */
  filters?: CronFilters;
  /** Absent if the cron is disabled or has ended. */
  nextRunAt?: Date;
  createdBy: Principal;
  /** Number of changes so far. */
  rev: number;
  createdAt: Date;
  updatedAt: Date;
}
