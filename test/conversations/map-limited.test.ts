import { describe, expect, it } from '@jest/globals';
import { mapLimited } from '../../conversations/map-limited.js';

const ITEMS = Array.from({ length: 50 }, (_, index) => index);

describe('mapLimited', () => {
  it('keeps the order of the items, and makes at most 20 calls at the same time', async () => {
    let running = 0;
    let highest = 0;
    const results = await mapLimited(ITEMS, async (item) => {
      highest = Math.max(highest, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return item * 2;
    });
    expect(results).toEqual(ITEMS.map((item) => item * 2));
    expect(highest).toBe(20);
  });

  it('starts no further call after an error', async () => {
    const started: number[] = [];
    const mapped = mapLimited(ITEMS, async (item) => {
      started.push(item);
      await new Promise((resolve) => setImmediate(resolve));
      if (item === 0) throw new Error('no');
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await expect(mapped).rejects.toThrow('no');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(started.length).toBeLessThanOrEqual(21);
  });
});
