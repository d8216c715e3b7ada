import type { ApiClient } from './api-client.js';
import type { Clock } from './clock.js';
import { StreamFollower } from './follower.js';
import type { Random } from './random.js';
import { messagesOf, type SeenEvent, type ThreadRecord, type StateMessage } from './records.js';

const HISTORY_LIMIT = 1_000;

interface WireState {
  values: unknown;
  next: string[];
  metadata: { step?: number; source?: string } | null;
  checkpoint: { checkpoint_id: string | null } | null;
  parent_checkpoint: { checkpoint_id: string | null } | null;
}

/** Returns the final state and history of a thread, as the API shows them. */
export async function readThread(api: ApiClient, conversation: string, threadId: string): Promise<ThreadRecord> {
  const [thread, state, history] = await Promise.all([
    api.json<{ status: string }>(`/threads/${threadId}`),
    api.json<WireState>(`/threads/${threadId}/state`),
    api.json<WireState[]>(`/threads/${threadId}/history`, { method: 'POST', body: { limit: HISTORY_LIMIT } }),
  ]);
  return {
    type: 'thread',
    conversation,
    threadId,
    status: thread.status,
    state: { checkpointId: state.checkpoint?.checkpoint_id ?? '', next: state.next, messages: messagesIn(state) },
    history: history.map((state) => ({
      id: state.checkpoint?.checkpoint_id ?? '',
      parent: state.parent_checkpoint?.checkpoint_id ?? null,
      step: state.metadata?.step ?? Number.NaN,
      source: state.metadata?.source ?? '',
      messages: messagesIn(state),
    })),
  };
}

function messagesIn({ values }: WireState): StateMessage[] {
  return messagesOf(values);
}

/** Returns all events of a run, as a client gets them if it joins after the end of the run. */
export async function replay(
  api: ApiClient,
  clock: Clock,
  random: Random,
  { threadId, runId }: { threadId: string; runId: string },
): Promise<SeenEvent[]> {
  const location = `/threads/${threadId}/runs/${runId}/stream`;
  const follower = new StreamFollower({ api, clock, random, location, leaves: 0, progress: () => undefined });
  await follower.toEnd();
  return follower.seen;
}
