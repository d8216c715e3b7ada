import { describe, expect, it } from '@jest/globals';
import { FAULT_KINDS, planFaults } from './faults.js';

describe('the plan of faults', () => {
  it('is equal for equal seeds, and differs for different seeds', () => {
    expect(planFaults(7, 60_000, FAULT_KINDS)).toEqual(planFaults(7, 60_000, FAULT_KINDS));
    expect(planFaults(7, 60_000, FAULT_KINDS)).not.toEqual(planFaults(8, 60_000, FAULT_KINDS));
  });

  it('hits every requested kind of process once before it hits a kind again', () => {
    const kinds = planFaults(3, 60_000, FAULT_KINDS).map(({ kind }) => kind);
    expect(new Set(kinds.slice(0, FAULT_KINDS.length))).toEqual(new Set(FAULT_KINDS));
    expect(new Set(planFaults(3, 60_000, ['api']).map(({ kind }) => kind))).toEqual(new Set(['api']));
    expect(planFaults(3, 60_000, [])).toEqual([]);
  });
});
