/**
 * Longest pause that a server can ask for with `Retry-After`, in ms. A longer pause is cut to this
 * limit, because a run or a webhook must not wait for years.
 */
export const MAX_RETRY_AFTER_MS = 6 * 3_600_000;

/**
 * Parses the value of `Retry-After` (RFC 9110, section 10.2.3): seconds or an HTTP date. Fractions
 * of a second are not in the RFC, but model providers send them. Returns the pause in ms: 0 for a
 * past date, and at most {@link MAX_RETRY_AFTER_MS}. Returns undefined for a value of any other
 * form.
 */
export function parseRetryAfter(value: string): number | undefined {
  const isSeconds = /^\s*\d+(\.\d+)?\s*$/.test(value);
  const ms = isSeconds ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
