import { describe, expect, it } from '@jest/globals';
import { chaos } from '../support/chaos.js';

describe('the chaos program in half a minute of random faults', () => {
  it('finds no message, event or effect that is lost or duplicated, and blames no innocent run', async () => {
    const report = await chaos({ seed: 11, minutes: 0.5, conversations: 4, animals: 1 });
    expect(report.violations).toEqual([]);
    expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(3);
    expect(report.messages).toBeGreaterThan(10);
    expect(report.misbehaved).not.toEqual({});
  }, 240_000);
});
