/**
 * The bare workflow: the least that Temporal must do for a turn, which is one run of a
 * conversation. A turn of this workflow is one update, which runs one no-op activity for each step
 * of the graph.
 */
import { condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';

export interface BareActivities {
  noop(): Promise<void>;
}

const { noop } = proxyActivities<BareActivities>({ startToCloseTimeout: '10s' });

/**
 * Waits for turns and never ends, like the workflow of a conversation. `steps` is the number of
 * steps in each turn.
 */
export async function bareConversation(steps: number): Promise<void> {
  setHandler(defineUpdate('turn'), async () => {
    for (let step = 0; step < steps; step += 1) await noop();
  });
  await condition(() => false);
}
