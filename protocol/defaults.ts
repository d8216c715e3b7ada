const MEBIBYTE = 1024 * 1024;

/**
 * Defaults that the configuration shares with the rooms that use them. Each default is written only
 * here, so that a room behaves the same if it is started without the configuration.
 */
export const DEFAULTS = {
  bodyLimitBytes: 10 * MEBIBYTE,
  heartbeatMs: 5_000,
  connectionsPerAddress: 1_000,
  accessCheckMs: 30_000,
  /**
   * Five fields of a cron expression are precise to a minute. A firing creates a run and often a
   * thread, so one firing a second would fill a database unnoticed.
   */
  cronMinIntervalSeconds: 60,
  stateCacheBytes: 64 * MEBIBYTE,
  eventRetentionMs: 7 * 24 * 3_600_000,
  conversation: { queueLimit: 100, keyWindow: 500, maxTurns: 0, joinQuickStepsMs: 100 },
} as const;
