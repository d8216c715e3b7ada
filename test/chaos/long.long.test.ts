import { describe, expect, it } from '@jest/globals';
import { chaos } from '../support/chaos.js';

describe('four minutes in which processes are killed and frozen', () => {
  it('neither lose nor duplicate a message, an event or an effect, and blame no innocent run', async () => {
    const report = await chaos({
      seed: Number(process.env['COLLOQUY_CHAOS_SEED'] ?? 42),
      minutes: 4,
      conversations: 12,
    });
    console.log(JSON.stringify(report));
    expect(report.violations).toEqual([]);
    expect(report.messages).toBeGreaterThan(100);
  }, 720_000);
});
