/**
 * The minimum that Temporal does for a turn: one update, and one no-op activity for each step of
 * the graph.
 */
import { condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';

export interface BareActivities {
  noop(): Promise<void>;
}

const { noop } = proxyActivities<BareActivities>({ startToCloseTimeout: '10s' });

/** Stays open like a conversation. */
export async function bareConversation(steps: number): Promise<void> {
  setHandler(defineUpdate('turn'), async () => {
    for (let step = 0; step < steps; step += 1) await noop();
  });
  await condition(() => false);
}
