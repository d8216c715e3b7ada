import { Client } from '@temporalio/client';
import type { ClientOptions } from '@temporalio/client';
import type { RunIntake, ScheduleReader } from '../activities/index.js';
import type { AgentProject } from '../agents/index.js';
import type { Config } from '../config/index.js';
import {
  FilterAccess,
  OPEN_ACCESS,
  acceptRun,
  completeConversations,
  createConversations,
  createSchedules,
} from '../conversations/index.js';
import { errorCode } from '../protocol/index.js';
import type { RunBody } from '../protocol/schemas/index.js';
import { createGraphDescriptions, createStateAccess } from '../steps/index.js';
import { lastConfigOf, type Stores } from './stores.js';

/** A firing waits so long for the answer of a conversation; then the server has it tried again. */
const TIMEOUT_MS = 5_000;

/** What a firing needs: runs are taken in by the API's own code, so that a run by schedule is in nothing different from one by request. */
export function composeScheduledRuns(
  config: Config,
  stores: Stores,
  project: AgentProject,
  client: Pick<ClientOptions, 'connection' | 'interceptors'>,
): { runs: RunIntake; schedules: ScheduleReader } {
  const { namespace, taskQueue } = config.temporal;
  const temporal = { client: new Client({ ...client, namespace }), taskQueue, timeoutMs: TIMEOUT_MS };
  const conversations = createConversations({ ...temporal, settings: config.conversation });
  const schedules = createSchedules(temporal);
  const context = completeConversations({
    ...stores,
    states: createStateAccess({ ...stores, project, lastConfig: lastConfigOf(stores) }),
    graphs: createGraphDescriptions({ project, authorize: stores.authorize }),
    conversations,
    schedules,
  });
  return {
    schedules,
    runs: {
      async take({ filters, ...order }) {
        const { run, admit, bound } = await acceptRun(context, {
          ...order,
          access: filters ? new FilterAccess(filters) : OPEN_ACCESS,
          body: order.body as RunBody,
        });
        await Promise.all([admit?.(), bound]);
        return { threadId: run.threadId, runId: run.runId };
      },
      async cancel(caller, threadId, runId) {
        try {
          await conversations.cancel(caller, threadId, { runIds: [runId], action: 'interrupt' });
        } catch (error) {
          if (errorCode(error) !== 'not_found') throw error;
        }
      },
    },
  };
}
