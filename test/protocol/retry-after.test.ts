import { describe, expect, it } from '@jest/globals';
import { parseRetryAfter } from '../../protocol/index.js';

describe('a Retry-After header', () => {
  it.each([
    ['2', 2_000],
    ['0', 0],
    ['0.5', 500],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ])('with the value %j gives %j ms', (value, ms) => {
    expect(parseRetryAfter(value)).toBe(ms);
  });

  it('with a future date gives the time until that date', () => {
    const ms = parseRetryAfter(new Date(Date.now() + 60_000).toUTCString());
    expect(ms).toBeGreaterThan(50_000);
    expect(ms).toBeLessThanOrEqual(60_000);
  });
});
