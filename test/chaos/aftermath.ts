import type { ApiClient } from './api-client.js';
import type { Clock } from './clock.js';
import { Follower } from './follower.js';
import type { Random } from './random.js';
import { messagesOf, type SeenEvent, type ThreadRecord, type Told } from './records.js';

const HISTORY_LIMIT = 1_000;

interface WireState {
  values: unknown;
  next: string[];
  metadata: { step?: number; source?: string } | null;
  checkpoint: { checkpoint_id: string | null } | null;
  parent_checkpoint: { checkpoint_id: string | null } | null;
}

/** How a thread stands, read through the API when all is over. */
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
    state: { checkpointId: state.checkpoint?.checkpoint_id ?? '', next: state.next, messages: told(state) },
    history: history.map((one) => ({
      id: one.checkpoint?.checkpoint_id ?? '',
      parent: one.parent_checkpoint?.checkpoint_id ?? null,
      step: one.metadata?.step ?? Number.NaN,
      source: one.metadata?.source ?? '',
      messages: told(one),
    })),
  };
}

function told({ values }: WireState): Told[] {
  return messagesOf(values);
}

/** The stream of a run from its start, as somebody sees it who comes later. */
export async function replay(
  api: ApiClient,
  clock: Clock,
  random: Random,
  { threadId, runId }: { threadId: string; runId: string },
): Promise<SeenEvent[]> {
  const location = `/threads/${threadId}/runs/${runId}/stream`;
  const follower = new Follower({ api, clock, random, location, leaves: 0, progress: () => undefined });
  await follower.toEnd();
  return follower.seen;
}
