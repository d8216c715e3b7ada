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

/** Timeout of a call to a conversation. After it Temporal retries the activity. */
const TIMEOUT_MS = 5_000;

/**
 * Composes the use cases for activities. The same code accepts a run from a signal, a schedule or a
 * request.
 */
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
