/** The least that Temporal does for a turn: one update and as many no-op activities as the graph has steps. */
import { condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';

export interface BareActivities {
  noop(): Promise<void>;
}

const { noop } = proxyActivities<BareActivities>({ startToCloseTimeout: '10s' });

/** Stays open, as a conversation does. */
export async function bareConversation(steps: number): Promise<void> {
  setHandler(defineUpdate('turn'), async () => {
    for (let step = 0; step < steps; step += 1) await noop();
  });
  await condition(() => false);
}
