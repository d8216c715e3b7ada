import { describe, expect, it } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { readHistories } from '../histories/files.js';
import { workflowBundle } from './world.js';

describe('recorded workflow histories of conversations', () => {
  it('can all be replayed with the current workflow code', async () => {
    const histories = readHistories();
    expect(histories.length).toBeGreaterThan(10);
    const faults: string[] = [];
    let replayed = 0;
    for await (const { error } of Worker.runReplayHistories({ workflowBundle: await workflowBundle() }, histories)) {
      if (error) faults.push(`${histories[replayed]?.file}: ${error.message}`);
      replayed += 1;
    }
    expect(faults).toEqual([]);
    expect(replayed).toBe(histories.length);
  }, 60_000);
});
