import { Client, type ClientOptions } from '@temporalio/client';
import type { AgentProject } from '../agents/index.js';
import type { Config } from '../config/index.js';
import {
  completeConversations,
  createConversations,
  createSchedules,
  type ConversationContext,
} from '../conversations/index.js';
import { openGraphs, openStates } from './graphs.js';
import type { Stores } from './stores.js';

/** How long a use case in an activity waits for a conversation; then Temporal tries the activity again. */
const TIMEOUT_MS = 5_000;

/** The use cases for activities: a run by signal or schedule is accepted by the same code as one by request. */
export function composeConversations(
  config: Config,
  stores: Stores,
  project: AgentProject,
  client: Pick<ClientOptions, 'connection' | 'interceptors'>,
): ConversationContext {
  const { namespace, taskQueue } = config.temporal;
  const temporal = { client: new Client({ ...client, namespace }), taskQueue, timeoutMs: TIMEOUT_MS };
  return completeConversations({
    ...stores,
    states: openStates(stores, project),
    graphs: openGraphs(stores, { project }),
    conversations: createConversations({ ...temporal, settings: config.conversation }),
    schedules: createSchedules(temporal),
  });
}
