/**
 * The environment of workflow tests: a worker with the real workflow code and scripted activities,
 * and a Temporal client. It needs a Temporal server, but no database and no graph.
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Context } from '@temporalio/activity';
import { Client, Connection, isGrpcDeadlineError, WithStartWorkflowOperation } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { retryWhileNotReady } from '../../conversations/temporal-conversations.js';
import { conversationId } from '../../protocol/index.js';
import {
  CONVERSATION_WORKFLOW,
  DEFAULT_SETTINGS,
  QUERIES,
  SIGNALS,
  UPDATES,
  conversationStart,
} from '../../workflows/contract.js';
import type {
  CancelRuns,
  Cancelled,
  Closed,
  ConversationActivities,
  ConversationInput,
  ConversationSettings,
  ConversationView,
  EndRunTask,
  Injected,
  InjectMessage,
  RecordRunTask,
  RecordedRun,
  ResumeConversation,
  Resumed,
  StepTask,
  SubmitRun,
  Submitted,
  WebhookActivities,
  WebhookTask,
} from '../../workflows/contract.js';

import { cursorAt, done } from './script.js';
import type { StepScript } from './script.js';

/**
 * If a query fails with one of these gRPC status codes, it is repeated: cancelled, deadline
 * exceeded, failed precondition.
 */
const PASSING_CODES = [1, 4, 9];

/** Longest time for which an update is repeated while the Temporal server refuses it, in ms. */
const UPDATE_RETRY_MS = 10_000;

/** Value of Temporal's `WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND`. */
const UNHANDLED_COMMAND = 1;

const address = process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS;

// The tests cause failures and refused signals on purpose, so the SDK logs only errors and no
// warnings.
Runtime.install({ logger: new DefaultLogger('ERROR') });

/** The workflow code that the build has bundled. Jest's global setup builds first. */
export const WORKFLOW_BUNDLE = { codePath: resolve('dist/workflow-bundle.js') };

/** A call of a scripted activity, with the activity's name and input. */
export type Call =
  | { name: 'runStep'; task: StepTask; attempt: number }
  | { name: 'endRun'; task: EndRunTask }
  | { name: 'recordRun'; task: RecordRunTask }
  | { name: 'deliverWebhook'; task: WebhookTask; attempt: number };

/**
 * One conversation under test. It contains the scripts of its activities, and sends updates,
 * signals and queries like a client.
 */
export class Talk {
  readonly calls: Call[] = [];
  readonly threadId: string;
  readonly workflowId: string;
  readonly handle: WorkflowHandle;
  /** Step scripts by run id. A run without a script executes {@link otherSteps}. */
  readonly steps = new Map<string, StepScript>();
  /**
   * Step script of the runs without an entry in {@link steps}, such as runs whose ids the workflow
   * creates. By default these runs succeed in one step.
   */
  otherSteps: StepScript = (task) => done(task);
  record: (task: RecordRunTask) => RecordedRun | Promise<RecordedRun> = (task) => ({
    runId: task.runId,
    graphId: 'graph',
    assistantId: task.run.assistantId ?? task.assistantId ?? 'assistant',
    duplicate: false,
  });
  end: ConversationActivities['endRun'] = (task) =>
    Promise.resolve({
      cursor: cursorAt(task.ordinal),
      threadStatus: task.status === 'error' ? 'error' : 'idle',
      interrupts: [],
    });
  /** Script of the activity that delivers webhooks. By default each delivery succeeds. */
  deliver: WebhookActivities['deliverWebhook'] = () => Promise.resolve(true);
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly client: Client,
    private readonly taskQueue: string,
    readonly input: ConversationInput,
  ) {
    this.threadId = input.threadId;
    this.workflowId = conversationId(input.tenant, input.threadId);
    this.handle = client.workflow.getHandle(this.workflowId);
  }

  called(call: Call): void {
    this.calls.push(call);
    for (const watcher of this.watchers) watcher();
  }

  /** Waits until at least one activity call matches, and returns the first call that matches. */
  async call(fits: (call: Call) => boolean): Promise<Call> {
    for (;;) {
      const found = this.calls.find(fits);
      if (found) return found;
      await new Promise<void>((wake) => {
        const watcher = () => {
          this.watchers.delete(watcher);
          wake();
        };
        this.watchers.add(watcher);
      });
    }
  }

  /** Ids of the runs of which a step was executed, in the order of their first steps. */
  get ran(): string[] {
    return [...new Set(this.calls.flatMap((call) => (call.name === 'runStep' ? [call.task.runId] : [])))];
  }

  get ended(): EndRunTask[] {
    return this.calls.flatMap((call) => (call.name === 'endRun' ? [call.task] : []));
  }

  get recorded(): RecordRunTask[] {
    return this.calls.flatMap((call) => (call.name === 'recordRun' ? [call.task] : []));
  }

  start() {
    const { workflowId, args, staticSummary, typedSearchAttributes } = conversationStart(this.input, {
      assistantId: 'assistant',
    });
    // The SDK may drop a query and the workflow task with which the query arrives (see `state`). The
    // server then sends the task again after this timeout.
    const workflowTaskTimeout = '2s' as const;
    return { workflowId, args, staticSummary, typedSearchAttributes, workflowTaskTimeout, taskQueue: this.taskQueue };
  }

  submit(runId: string, options: Partial<SubmitRun> = {}): Promise<Submitted> {
    const run: SubmitRun = { runId, graphId: 'graph', assistantId: 'assistant', strategy: 'enqueue', ...options };
    return repeated(() =>
      this.client.workflow.executeUpdateWithStart(UPDATES.submit, {
        args: [run],
        startWorkflowOperation: new WithStartWorkflowOperation(CONVERSATION_WORKFLOW, {
          ...this.start(),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      }),
    );
  }

  signal(name: keyof typeof SIGNALS, ...args: unknown[]): Promise<unknown> {
    return this.client.workflow.signalWithStart(CONVERSATION_WORKFLOW, {
      ...this.start(),
      signal: SIGNALS[name],
      signalArgs: args,
    });
  }

  resume(answer: ResumeConversation): Promise<Resumed> {
    return repeated(() => this.handle.executeUpdate(UPDATES.resume, { args: [answer] }));
  }

  /**
   * Injects a message into the active run. `runId` is the id of the run record that stores the
   * message.
   */
  inject(runId: string): Promise<Injected> {
    const message: InjectMessage = { runId, graphId: 'graph', assistantId: 'assistant' };
    return repeated(() => this.handle.executeUpdate(UPDATES.inject, { args: [message] }));
  }

  cancel(request: CancelRuns): Promise<Cancelled> {
    return repeated(() => this.handle.executeUpdate(UPDATES.cancel, { args: [request] }));
  }

  close(): Promise<Closed> {
    return repeated(() => this.handle.executeUpdate(UPDATES.close));
  }

  /**
   * Returns the state that the workflow shows to queries. A query may fail: without a workflow
   * cache the SDK drops a query that arrives with a workflow task, and during continue-as-new the
   * server cannot answer a query. So a failed query is repeated.
   */
  async state(): Promise<ConversationView> {
    for (;;) {
      try {
        return await this.client.withDeadline(Date.now() + 700, () =>
          this.handle.query<ConversationView>(QUERIES.state),
        );
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
    }
  }

  /** Waits until the conversation's state matches, and returns it. Checks the state every 50 ms. */
  async until(fits: (view: ConversationView) => boolean): Promise<ConversationView> {
    for (;;) {
      const view = await this.state();
      if (fits(view)) return view;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  /**
   * Returns the histories of all executions of the workflow, oldest first. Each continue-as-new has
   * started a new execution.
   */
  async histories(): Promise<History[]> {
    const { raw } = await this.handle.describe();
    const histories: History[] = [];
    let runId = raw.workflowExecutionInfo?.firstRunId;
    while (runId) {
      const history = await this.client.workflow.getHandle(this.workflowId, runId).fetchHistory();
      histories.push(history);
      runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    }
    return histories;
  }

  /**
   * Waits until the conversation has nothing to do and no workflow task is pending. To wait for the
   * state alone is not enough: a query can already show the effects of a pending workflow task, but
   * the next update of a test could still be handled before these effects.
   */
  async settled(): Promise<ConversationView> {
    for (;;) {
      const view = await this.until(({ status }) => status !== 'busy');
      const { raw } = await this.handle.describe();
      if (!raw.pendingWorkflowTask) return view;
    }
  }
}

export interface World {
  talk(options?: { settings?: Partial<ConversationSettings>; ephemeral?: boolean }): Talk;
  readonly client: Client;
  close(): Promise<void>;
}

export interface WorldOptions {
  maxCachedWorkflows?: number;
  maxTurns: number;
  maxSteps?: number;
}

export async function createWorld({ maxCachedWorkflows, maxTurns, maxSteps = 0 }: WorldOptions): Promise<World> {
  const taskQueue = `workflows-${randomUUID()}`;
  const talks = new Map<string, Talk>();
  const talkOf = ({ threadId }: { threadId: string }): Talk => {
    const talk = talks.get(threadId);
    if (!talk) throw new Error(`no test has thread ${threadId}`);
    return talk;
  };
  const activities: ConversationActivities & WebhookActivities = {
    async runStep(task) {
      const talk = talkOf(task);
      talk.called({ name: 'runStep', task, attempt: Context.current().info.attempt });
      return (talk.steps.get(task.runId) ?? talk.otherSteps)(task);
    },
    async endRun(task) {
      talkOf(task).called({ name: 'endRun', task });
      return talkOf(task).end(task);
    },
    async recordRun(task) {
      talkOf(task).called({ name: 'recordRun', task });
      return talkOf(task).record(task);
    },
    async deliverWebhook(task) {
      talkOf(task).called({ name: 'deliverWebhook', task, attempt: Context.current().info.attempt });
      return talkOf(task).deliver(task);
    },
  };
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowBundle: WORKFLOW_BUNDLE,
    activities: { ...activities },
    maxHeartbeatThrottleInterval: '100ms',
    stickyQueueScheduleToStartTimeout: '2s',
    ...(maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows }),
  });
  const running = worker.run();
  return {
    client,
    talk({ settings, ephemeral } = {}) {
      const threadId = randomUUID();
      const talk = new Talk(client, taskQueue, {
        tenant: 'workflows-test',
        threadId,
        settings: { ...DEFAULT_SETTINGS, maxTurns, maxSteps, ...settings },
        ...(ephemeral ? { ephemeral } : {}),
      });
      talks.set(threadId, talk);
      return talk;
    },
    async close() {
      try {
        for (const talk of talks.values()) await expectNoFailedTask(talk);
      } finally {
        for (const talk of talks.values()) await talk.handle.terminate('the test is over').catch(() => undefined);
        worker.shutdown();
        await running;
        await connection.close();
        await native.close();
      }
    },
  };
}

/** Sends an update, and sends it again while the Temporal server refuses it, as the API does. */
function repeated<T>(update: () => Promise<T>): Promise<T> {
  return retryWhileNotReady(update, UPDATE_RETRY_MS);
}

/** Returns whether a query that failed with this error may succeed if it is repeated. */
function isPassing(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return isGrpcDeadlineError(error) || PASSING_CODES.includes(Number(code));
}

/**
 * Throws if a workflow task of the conversation has failed. Ignores tasks that failed only because
 * a signal arrived before they completed.
 */
async function expectNoFailedTask(talk: Talk): Promise<void> {
  const events = (await talk.histories()).flatMap((history) => history.events ?? []);
  const failures = events.flatMap((event) => event.workflowTaskFailedEventAttributes ?? []);
  const faults = failures.filter(({ cause }) => Number(cause) !== UNHANDLED_COMMAND);
  if (faults.length > 0) throw new Error(`${talk.workflowId}: ${faults.map(({ failure }) => failure?.message).join()}`);
}
