import { describe, expect, it } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { readHistories } from '../histories/files.js';
import { WORKFLOW_BUNDLE } from './world.js';

describe('recorded workflow histories of conversations', () => {
  it('can all be replayed with the current workflow code', async () => {
    const histories = readHistories();
    expect(histories.length).toBeGreaterThan(10);
    const faults: string[] = [];
    let replayed = 0;
    for await (const { error } of Worker.runReplayHistories({ workflowBundle: WORKFLOW_BUNDLE }, histories)) {
      if (error) faults.push(`${histories[replayed]?.file}: ${error.message}`);
      replayed += 1;
    }
    expect(faults).toEqual([]);
    expect(replayed).toBe(histories.length);
  }, 60_000);

  it('can be replayed if older code went on with a run although Temporal suggested to continue as new', async () => {
    const [recorded] = readHistories().filter(({ file }) => file === 'v1/turns-by-update-and-signal.json');
    const events = recorded?.history.events ?? [];
    // Run r1 has three steps. Their workflow tasks follow the update that submitted the run.
    const ends = events.flatMap((event, index) => (event.activityTaskCompletedEventAttributes ? [index] : []));
    const tasks = ends.slice(0, 2).map((end) => {
      return events.slice(end).find((event) => event.workflowTaskStartedEventAttributes)
        ?.workflowTaskStartedEventAttributes;
    });
    for (const task of tasks) if (task) task.suggestContinueAsNew = true;
    expect(tasks).toMatchObject([{ suggestContinueAsNew: true }, { suggestContinueAsNew: true }]);
    const options = { workflowBundle: WORKFLOW_BUNDLE };
    await Worker.runReplayHistory(options, recorded?.history, recorded?.workflowId);
  }, 60_000);
});
