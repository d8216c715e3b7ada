import { Client, type ClientOptions } from '@temporalio/client';
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
import type { OpenExecutors } from './executors.js';
import { CONVERSATION_RULES, SCHEDULE_RULES } from './port-rules.js';
import type { Stores } from './stores.js';

/**
 * Creates the objects through which the conversations and the Schedules of a Temporal namespace are
 * used. Each call is authorized first: `CONVERSATION_RULES` and `SCHEDULE_RULES` name the action
 * that the caller must be allowed to perform.
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
 * Timeout in ms of a call that an activity makes to a conversation. After a timeout the activity
 * fails, and Temporal retries it.
 */
const TIMEOUT_MS = 5_000;

/**
 * Creates the context that use cases need when activities call them, for example to accept the run
 * of a cron. An HTTP request for a run calls the same use case.
 */
export function composeConversations(
  config: Config,
  stores: Stores,
  { states, graphs }: Pick<OpenExecutors, 'states' | 'graphs'>,
  client: Pick<ClientOptions, 'connection' | 'interceptors'>,
): ConversationContext {
  const { namespace, taskQueue } = config.temporal;
  const temporal = { client: new Client({ ...client, namespace }), taskQueue, timeoutMs: TIMEOUT_MS };
  return completeConversations({
    ...stores,
    states,
    graphs,
    ...openConversations({ ...temporal, settings: config.conversation }, stores.authorize),
    options: config.limits,
  });
}
