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
  /** After an outage, Temporal fires for those missed times that are not older than this. */
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
 * The filters of a project's auth when the cron was created: metadata that a record must have
 * to be visible to its creator.
 */
export interface CronFilters {
  /** Filter from the auth event `threads:create_run`. Absent: every thread is visible. */
  threads?: Record<string, unknown>;
  /** Filter from the auth event `assistants:read`. Absent: every assistant is visible. */
  assistants?: Record<string, unknown>;
}

export interface Cron {
  tenant: string;
  cronId: string;
  assistantId: string;
  /** Thread of the cron's runs. Absent: every firing creates a new thread. */
  threadId?: string;
  schedule: string;
  /** IANA name of the time zone. Absent: UTC. */
  timezone?: string;
  endTime?: Date;
  enabled: boolean;
  /** What happens to the thread that a firing created, when the run has completed. */
  onRunCompleted: 'delete' | 'keep';
  /** Fields of the request body of a run, as the API accepts them. */
  payload: Record<string, unknown>;
  metadata: Record<string, unknown>;
  options: ScheduleOptions;
  /**
   * Filters for the firings of this cron. Clients can neither see nor set them. Absent if the
   * project has no auth.
   */
  filters?: CronFilters;
  /** Absent if the cron is disabled or has ended. */
  nextRunAt?: Date;
  createdBy: Principal;
  /** Number of changes of the cron so far. */
  rev: number;
  createdAt: Date;
  updatedAt: Date;
}
