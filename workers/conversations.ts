import { Client, type ClientOptions } from '@temporalio/client';
import type { AgentProject } from '../agents/index.js';
import type { Config } from '../config/index.js';
import {
  completeConversations,
  createConversations,
  createSchedules,
  type ConversationContext,
  type Conversations,
  type Schedules,
  type TemporalConversationsOptions,
} from '../conversations/index.js';
import { guarded } from '../policy/index.js';
import type { Authorize } from '../protocol/index.js';
import { openGraphs, openStates } from './graphs.js';
import { CONVERSATION_RULES, SCHEDULE_RULES } from './port-rules.js';
import type { Stores } from './stores.js';

/**
 * Opens the conversations and the Schedules of a Temporal namespace. Each call of these two ports
 * is authorized by the rules of the port.
 */
export function openConversations(
  options: TemporalConversationsOptions,
  authorize: Authorize,
): { conversations: Conversations; schedules: Schedules } {
  return {
    conversations: guarded(createConversations(options), CONVERSATION_RULES, authorize),
    schedules: guarded(createSchedules(options), SCHEDULE_RULES, authorize),
  };
}

/**
 * Timeout of a call to a conversation, in ms. After a timeout Temporal retries the activity that
 * made the call.
 */
const TIMEOUT_MS = 5_000;

/**
 * Creates the context of the use cases that activities call. The same use case accepts a run,
 * whether a signal, a schedule or an HTTP request asks for it.
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
    ...openConversations({ ...temporal, settings: config.conversation }, stores.authorize),
    options: config.limits,
  });
}
