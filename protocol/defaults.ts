const MEBIBYTE = 1024 * 1024;

/**
 * Defaults that the configuration shares with the rooms that use them. Each is written once, so
 * that a room which is started without the configuration behaves the same.
 */
export const DEFAULTS = {
  bodyLimitBytes: 10 * MEBIBYTE,
  heartbeatMs: 5_000,
  connectionsPerAddress: 1_000,
  accessCheckMs: 30_000,
  /**
   * Five fields of a cron expression go down to a minute. A firing makes a run and often a thread,
   * so one each second would fill a database unnoticed.
   */
  cronMinIntervalSeconds: 60,
  stateCacheBytes: 64 * MEBIBYTE,
  eventRetentionMs: 7 * 24 * 3_600_000,
  conversation: { queueLimit: 100, keyWindow: 500, maxTurns: 0, joinQuickStepsMs: 100 },
} as const;
