import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import pRetry from 'p-retry';
import {
  ColloquyError,
  conversationId,
  ERROR_CODES,
  webhookId,
  type Caller,
  type ErrorCode,
  ifFound,
} from '../protocol/index.js';
import {
  CONVERSATION_WORKFLOW,
  conversationStart,
  QUERIES,
  SIGNALS,
  UPDATES,
  WEBHOOK_WORKFLOW,
  oneLine,
  type Cancelled,
  type Closed,
  type CancelRuns,
  type ConversationInput,
  type ConversationSettings,
  type ConversationView,
  type EditedState,
  type Injected,
  type InjectMessage,
  type ResumeConversation,
  type Resumed,
  type Submitted,
  type SubmitRun,
  type WebhookTask,
} from '../workflows/contract.js';
import type { ConversationExecution, Conversations, EndedExecution } from './ports.js';

/** Number of the gRPC status code `FAILED_PRECONDITION`. */
const FAILED_PRECONDITION = 9;

const NOT_READY_RETRIES = { retries: Infinity, minTimeout: 100, maxTimeout: 1_000 };

export interface TemporalConversationsOptions {
  client: Client;
  taskQueue: string;
  settings: ConversationSettings;
  /**
   * Timeout of a call to Temporal, in ms. If the call is a Temporal update or query, a worker must
   * answer it within this time.
   */
  timeoutMs: number;
}

export function createConversations(options: TemporalConversationsOptions): Conversations {
  const { client, timeoutMs } = options;
  const handleOf = (caller: Caller, threadId: string) =>
    client.workflow.getHandle(conversationId(caller.tenant, threadId));

  async function within<T>(call: () => Promise<T>, ms = timeoutMs): Promise<T> {
    try {
      return await client.withDeadline(Date.now() + ms, () => retryWhileNotReady(call, ms));
    } catch (error) {
      throw conversationError(error);
    }
  }

  return {
    submit: (caller, threadId, run, { ephemeral = false } = {}) =>
      within(() =>
        client.workflow.executeUpdateWithStart<() => Promise<void>, Submitted, [SubmitRun]>(UPDATES.submit, {
          args: [run],
          startWorkflowOperation: startOperation(options, caller, threadId, run, ephemeral),
        }),
      ),
    cancel: (caller, threadId, runs) =>
      within(() => handleOf(caller, threadId).executeUpdate<Cancelled, [CancelRuns]>(UPDATES.cancel, { args: [runs] })),
    resume: (caller, threadId, answer) =>
      within(() =>
        handleOf(caller, threadId).executeUpdate<Resumed, [ResumeConversation]>(UPDATES.resume, { args: [answer] }),
      ),
    inject: (caller, threadId, message) =>
      within(() =>
        handleOf(caller, threadId).executeUpdate<Injected, [InjectMessage]>(UPDATES.inject, { args: [message] }),
      ),
    view: (caller, threadId) => within(() => handleOf(caller, threadId).query<ConversationView>(QUERIES.state)),

    async edited(caller, threadId, edit) {
      await ifFound(within(() => handleOf(caller, threadId).signal<[EditedState]>(SIGNALS.edited, edit)));
    },

    async close(caller, threadId, closeTimeoutMs) {
      const handle = handleOf(caller, threadId);
      const end = async () => {
        await within(() => handle.executeUpdate<Closed, []>(UPDATES.close));
        await within(() => handle.result(), closeTimeoutMs);
      };
      await ifFound(end());
    },

    async describe(caller, threadId) {
      const handle = handleOf(caller, threadId);
      const found = await ifFound(within(() => handle.describe()));
      if (found === undefined) return { isOpen: false, ending: 'unknown' };
      const ended = endOf(found);
      if (ended === undefined) return openExecution(found);
      const exact = client.workflow.getHandle(found.workflowId, found.runId, { followRuns: false });
      const reason = HAVE_REASON.includes(ended.ending) ? await within(() => reasonOf(exact)) : undefined;
      return { ...ended, ...(reason && { reason }) };
    },

    async startWebhook({ tenant }, threadId, runId) {
      const task: WebhookTask = { tenant, threadId, runId };
      await within(() =>
        client.workflow.start<(task: WebhookTask) => Promise<void>>(WEBHOOK_WORKFLOW, {
          workflowId: webhookId(tenant, runId),
          taskQueue: options.taskQueue,
          args: [task],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: oneLine(`webhook of run ${runId}`),
        }),
      ).catch((error: unknown) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      });
    },
  };
}

/** The statuses of an execution that has ended. Temporal may add statuses of open executions. */
const ENDINGS: Partial<Record<string, EndedExecution['ending']>> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed_out',
};

const HAVE_REASON: readonly EndedExecution['ending'][] = ['failed', 'terminated'];
/** Text that Temporal's client gives as the reason of a termination that has none. */
const NO_REASON = 'Workflow execution terminated';

function endOf({ status, closeTime }: WorkflowExecutionDescription): EndedExecution | undefined {
  const ending = ENDINGS[status.name];
  return ending && { isOpen: false, ending, ...(closeTime && { endedAt: closeTime }) };
}

function openExecution({ runId, status, raw }: WorkflowExecutionDescription): ConversationExecution {
  const endsRun = (raw.pendingActivities ?? []).some(({ activityType }) => activityType?.name === 'endRun');
  const isSettling = status.name !== 'RUNNING' || Boolean(raw.pendingWorkflowTask) || endsRun;
  return { isOpen: true, executionId: runId, isSettling };
}

/** Returns why an execution that has ended failed or was terminated, if Temporal has a reason. */
async function reasonOf(ended: WorkflowHandle): Promise<string | undefined> {
  try {
    await ended.result();
    return undefined;
  } catch (error) {
    // If the workflow was deleted in the meantime, its reason is lost.
    if (error instanceof WorkflowNotFoundError) return undefined;
    if (!(error instanceof WorkflowFailedError)) throw error;
    const reason = error.cause?.message;
    return reason === NO_REASON ? undefined : reason;
  }
}

/**
 * Calls `call`, a Temporal update or query of a conversation workflow. Repeats the call while
 * Temporal refuses it, which happens after workflow tasks of the conversation have failed. Workflow
 * tasks fail when events arrive again and again while the workflow continues as new, and after a
 * deploy of broken workflow code. A refused call has no effect.
 *
 * @param call makes one attempt
 * @param maxRetryTime time after which no further attempt starts, in ms
 */
export function retryWhileNotReady<T>(call: () => Promise<T>, maxRetryTime: number): Promise<T> {
  return pRetry(call, { ...NOT_READY_RETRIES, maxRetryTime, shouldRetry: ({ error }) => isNotReady(error) });
}

function startOperation(
  { taskQueue, settings }: TemporalConversationsOptions,
  caller: Caller,
  threadId: string,
  run: SubmitRun,
  ephemeral: boolean,
) {
  const input: ConversationInput = { tenant: caller.tenant, threadId, settings, ...(ephemeral && { ephemeral }) };
  const { principal } = caller;
  return new WithStartWorkflowOperation(CONVERSATION_WORKFLOW, {
    ...conversationStart(input, { assistantId: run.assistantId, name: run.graphId }),
    workflowIdConflictPolicy: 'USE_EXISTING',
    taskQueue,
    staticDetails: `Thread \`${threadId}\` of tenant \`${caller.tenant}\`, begun by ${principal.kind} \`${principal.id}\`.`,
  });
}

/**
 * Converts an error of Temporal's client to a `ColloquyError`. The client creates its errors in
 * this process, so `instanceof` recognises them reliably.
 */
function conversationError(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    const { type, message } = error.cause;
    return new ColloquyError(isErrorCode(type) ? type : 'internal', message, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new ColloquyError('not_found', `no conversation ${error.workflowId} is running`, { cause: error });
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || hasGrpcCause(error)) {
    return new ColloquyError('unavailable', 'the conversation did not answer in time; try again', {
      cause: error,
      retryAfterMs: 1_000,
    });
  }
  return error;
}

function isErrorCode(type: string | null | undefined): type is ErrorCode {
  return (ERROR_CODES as readonly (string | null | undefined)[]).includes(type);
}

export function hasGrpcCause(error: unknown): boolean {
  return grpcCode(error) !== undefined;
}

function isNotReady(error: unknown): boolean {
  return grpcCode(error) === FAILED_PRECONDITION;
}

/**
 * Returns the gRPC status code of an error, or of the first error in its chain of causes that has
 * one. Returns undefined if none of them has one.
 */
function grpcCode(error: unknown): number | undefined {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (isGrpcServiceError(inner)) return inner.code;
  }
  return undefined;
}
