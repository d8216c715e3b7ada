const MEBIBYTE = 1024 * 1024;

/**
 * Default values of settings. The configuration takes them from here, and so do the rooms
 * (top-level folders) that have these settings. So a room that gets no configuration behaves the
 * same as with the default configuration.
 */
export const DEFAULTS = {
  bodyLimitBytes: 10 * MEBIBYTE,
  heartbeatMs: 5_000,
  connectionsPerAddress: 1_000,
  accessCheckMs: 30_000,
  /**
   * Shortest time between two firings of a cron, in seconds. It is one minute, because a cron
   * expression with five fields is precise to a minute. A firing creates a run and often a thread,
   * so a cron that fires every second would fill the database unnoticed.
   */
  cronMinIntervalSeconds: 60,
  stateCacheBytes: 64 * MEBIBYTE,
  executors: { stepsPerExecutor: 25, spares: 1, memoryMb: 2_048, stopGraceMs: 5_000 },
  eventRetentionMs: 7 * 24 * 3_600_000,
  conversation: { queueLimit: 100, keyWindow: 500, maxTurns: 0, maxSteps: 0, joinQuickStepsMs: 100 },
} as const;
