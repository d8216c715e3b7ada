import type { Principal } from './caller.js';

/** What becomes of a firing whose predecessor's run has not ended. Temporal's words; `terminate_other` would leave a run behind. */
export const OVERLAP_POLICIES = ['allow_all', 'skip', 'buffer_one', 'buffer_all', 'cancel_other'] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

/** What Temporal's Schedules give beyond LangGraph's crons. */
export interface ScheduleOptions {
  overlap: OverlapPolicy;
  /** Firings missed by an outage of the scheduler are made up for if they are not older. */
  catchupWindowSeconds: number;
  /** Each firing is put off by a random time up to this. */
  jitterSeconds: number;
}

/** As LangGraph's server, a firing does not look at the one before: the thread's multitask strategy does. */
export const DEFAULT_SCHEDULE_OPTIONS: ScheduleOptions = {
  overlap: 'allow_all',
  catchupWindowSeconds: 600,
  jitterSeconds: 0,
};

/** What the metadata of a record must have had for the maker of a cron to see it: the filters of a project's auth. */
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
  /** Absent: every firing makes a thread of its own. */
  threadId?: string;
  schedule: string;
  /** IANA name; absent: UTC. */
  timezone?: string;
  endTime?: Date;
  enabled: boolean;
  /** Of the thread that a firing made. */
  onRunCompleted: 'delete' | 'keep';
  /** Fields of a run's body, as the API takes them. */
  payload: Record<string, unknown>;
  metadata: Record<string, unknown>;
  options: ScheduleOptions;
  /** Its firings are held to them; no client sees or sets them. Absent: nobody was asked. */
  filters?: CronFilters;
  /** Absent for a cron that is not enabled or has ended. */
  nextRunAt?: Date;
  createdBy: Principal;
  /** Counts changes. */
  rev: number;
  createdAt: Date;
  updatedAt: Date;
}
