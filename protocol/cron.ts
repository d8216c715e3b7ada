import type { Principal } from './caller.js';

/**
 * What happens to a firing if the run of the previous firing has not ended. The values are
 * Temporal's overlap policies. `terminate_other` is left out: Temporal would terminate the workflow
 * of the previous firing, but the run that this workflow has started would go on.
 */
export const OVERLAP_POLICIES = ['allow_all', 'skip', 'buffer_one', 'buffer_all', 'cancel_other'] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

/** Options of a cron for its Schedule in Temporal. LangGraph's crons do not have them. */
export interface ScheduleOptions {
  overlap: OverlapPolicy;
  /**
   * Maximum age of a missed firing, in seconds. If Temporal is down at a scheduled time, it starts
   * the firing later. A firing whose scheduled time is longer ago than this is skipped.
   */
  catchupWindowSeconds: number;
  /** Longest random delay of a firing, in seconds. */
  jitterSeconds: number;
}

/**
 * Default schedule options. As on LangGraph's own server, a firing starts its run even if the run
 * of the previous firing has not ended. The multitask strategy of the new run then decides what
 * happens.
 */
export const DEFAULT_SCHEDULE_OPTIONS: ScheduleOptions = {
  overlap: 'allow_all',
  catchupWindowSeconds: 600,
  jitterSeconds: 0,
};

/**
 * Filters that the project's auth handlers returned when the cron was created or last changed. A
 * run of the cron may use a thread only if the metadata of the thread match `threads`, and an
 * assistant only if the metadata of the assistant match `assistants`.
 */
export interface CronFilters {
  /**
   * Filter that the auth event `threads:create_run` returned. Absent: the runs may use every
   * thread.
   */
  threads?: Record<string, unknown>;
  /**
   * Filter that the auth event `assistants:read` returned. Absent: the runs may use every
   * assistant.
   */
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
  /** Request body of the cron's runs, in the form that the API accepts for a run. */
  payload: Record<string, unknown>;
  metadata: Record<string, unknown>;
  options: ScheduleOptions;
  /**
   * Filters for the runs that the firings of this cron start. Clients can neither see nor set them.
   * Absent if the project has no auth.
   */
  filters?: CronFilters;
  /** Time of the next firing. Absent if the cron is disabled or has ended. */
  nextRunAt?: Date;
  createdBy: Principal;
  /** Number of changes of the cron so far. */
  rev: number;
  createdAt: Date;
  updatedAt: Date;
}
