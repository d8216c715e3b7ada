import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { anonymousOf } from '../../api/context.js';
import { loadConfig } from '../../config/index.js';
import {
  OPEN_ACCESS,
  acceptRun,
  completeConversations,
  createConversations,
  createSchedules,
  type ConversationContext,
} from '../../conversations/index.js';
import { conversationId, cronScheduleId } from '../../protocol/index.js';
import { openStores } from '../../workers/index.js';
import { CONVERSATION_WORKFLOW, DEFAULT_SETTINGS, SIGNALS } from '../../workflows/contract.js';
import { ServiceProcesses } from '../support/house.js';

const PROJECT = resolve('test/fixtures/projects/protocol/langgraph.json');
const INPUT = { messages: [{ role: 'user', content: 'May I?' }] };

interface Message {
  type: string;
  content: unknown;
}

let house: ServiceProcesses;
let url: string;
let client: Client;
let connection: Connection;
let temporal: TemporalClient;
let conversations: ConversationContext;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  house = new ServiceProcesses(PROJECT);
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url } = api);
  client = new Client({ apiUrl: url, apiKey: null });
  connection = await Connection.connect({ address: house.temporalAddress });
  temporal = new TemporalClient({ connection });
  const config = loadConfig({
    TEMPORAL_ADDRESS: house.temporalAddress,
    COLLOQUY_TASK_QUEUE: house.name,
    MONGODB_URI: house.mongodbUri,
    MONGODB_DATABASE: house.name,
  });
  const stores = await openStores(config);
  closers.push(() => stores.close());
  const options = { client: temporal, taskQueue: house.name, timeoutMs: 10_000 };
  conversations = completeConversations({
    ...stores,
    // `acceptRun` uses neither states nor graphs.
    states: {} as never,
    graphs: {} as never,
    conversations: createConversations({ ...options, settings: DEFAULT_SETTINGS }),
    schedules: createSchedules(options),
  });
}, 60_000);
afterAll(async () => {
  await house.stop();
  for (const close of closers) await close();
  await connection.close();
});

/**
 * The ways to start a conversation. Each function starts a run with the same input on a new thread,
 * and returns the thread's id.
 */
const WAYS: Record<string, () => Promise<string>> = {
  async http() {
    const threadId = randomUUID();
    await client.runs.create(threadId, 'desk', { input: INPUT, ifNotExists: 'create' });
    return threadId;
  },

  async 'protocol v2'() {
    const threadId = randomUUID();
    const params = { assistant_id: 'desk', input: INPUT };
    const answer = await fetch(`${url}/threads/${threadId}/commands`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 1, method: 'run.start', params }),
    });
    expect(await answer.json()).toMatchObject({ type: 'success' });
    return threadId;
  },

  async cron() {
    const options = { schedule: '0 0 1 1 *', input: INPUT, onRunCompleted: 'keep' as const };
    const { cron_id: cronId } = await client.crons.create('desk', { ...options, metadata: { by: 'cron' } });
    const schedule = temporal.schedule.getHandle(cronScheduleId('default', cronId));
    await schedule.trigger();
    let actions = (await schedule.describe()).info.recentActions;
    while (actions.length === 0) actions = (await schedule.describe()).info.recentActions;
    const firing = actions[0]?.action as { workflow: { workflowId: string } };
    const fired = (await temporal.workflow.getHandle(firing.workflow.workflowId).result()) as { threadId: string };
    return fired.threadId;
  },

  async 'signal with start'() {
    const threadId = randomUUID();
    await temporal.workflow.signalWithStart(CONVERSATION_WORKFLOW, {
      workflowId: conversationId('default', threadId),
      taskQueue: house.name,
      signal: SIGNALS.message,
      signalArgs: [{ input: INPUT, assistantId: 'desk' }],
    });
    return threadId;
  },

  async 'update with start'() {
    const threadId = randomUUID();
    const body = { assistant_id: 'desk', input: INPUT, if_not_exists: 'create' as const };
    const caller = anonymousOf('default');
    await acceptRun(conversations, { caller, access: OPEN_ACCESS, threadId, runId: randomUUID(), body });
    return threadId;
  },
};

describe('a conversation', () => {
  it.each(Object.keys(WAYS))(
    'has the same state, search results, events and records (except createdBy) in whatever way it starts: %s',
    async (way) => {
      const threadId = await (WAYS[way] as () => Promise<string>)();
      const runId = await firstRun(threadId);
      await client.runs.join(threadId, runId);

      const { assistant_id: assistantId } = await client.assistants.get('desk');
      const thread = await client.threads.get(threadId);
      expect(thread).toMatchObject({
        status: 'interrupted',
        metadata: { graph_id: 'desk', assistant_id: assistantId },
      });
      expect(contentsOf(thread.values)).toEqual(ASKED);
      expect(Object.values(thread.interrupts).flat()).toMatchObject([{ value: { question: 'May I?' } }]);

      const state = await client.threads.getState(threadId);
      expect(state).toMatchObject({ next: ['ask'], metadata: { source: 'loop' } });
      expect(contentsOf(state.values)).toEqual(ASKED);
      const history = await client.threads.getHistory(threadId);
      expect(history.map(({ next }) => next)).toEqual([['ask'], ['researcher'], ['tools'], ['plan'], ['__start__']]);

      const found = await client.threads.search({ metadata: { graph_id: 'desk' }, ids: [threadId] });
      expect(found.map((one) => [one.thread_id, one.status, contentsOf(one.values)])).toEqual([
        [threadId, 'interrupted', ASKED],
      ]);

      const runs = await client.runs.list(threadId);
      expect(runs).toMatchObject([{ run_id: runId, assistant_id: assistantId, status: 'interrupted' }]);
      expect(await valuesEvents(threadId, runId)).toEqual([1, 2, 3, 5]);

      const owner = OWNERS[way] ?? { principal: USER, onBehalfOf: [] };
      const reader = anonymousOf('default');
      expect((await conversations.threads.getThread(reader, threadId)).createdBy).toEqual(owner);
      expect((await conversations.threads.getRun(reader, threadId, runId)).createdBy).toEqual(owner);

      await client.runs.wait(threadId, 'desk', { command: { resume: 'yes' } });
      const answered = await client.threads.get(threadId);
      expect(answered.status).toBe('idle');
      expect(contentsOf(answered.values)).toEqual([...ASKED, ['ai', 'told "yes"'], ['ai', 'Hi you']]);
    },
  );
});

const USER = { kind: 'user', id: 'anonymous' };

/**
 * The expected `createdBy` of the thread and of its first run. A way without an entry has the user
 * of the API as `createdBy`.
 */
const OWNERS: Record<string, object> = {
  cron: { principal: { kind: 'service', id: 'cron' }, onBehalfOf: [USER] },
  'signal with start': { principal: { kind: 'operator', id: 'temporal' }, onBehalfOf: [] },
};

/** Type and text of the messages in the thread while its interrupt is open. */
const ASKED = [
  ['human', 'May I?'],
  ['ai', ''],
  ['tool', '3'],
  ['ai', 'Hi you'],
  ['ai', 'noted'],
];

function contentsOf(values: unknown): [type: string, text: unknown][] {
  const { messages } = values as { messages: Message[] };
  return messages.map(({ type, content }) => [type, textOf(content)]);
}

/**
 * Returns the text of a message's `content`. Models answer in a list of content blocks if protocol
 * v2 started the run, otherwise in a string.
 */
function textOf(content: unknown): unknown {
  return Array.isArray(content) ? content.map(({ text }) => text as string).join('') : content;
}

/** Waits until the API lists the first run of a thread, and returns the id of this run. */
async function firstRun(threadId: string): Promise<string> {
  for (;;) {
    const runs = await client.runs.list(threadId).catch(() => []);
    const [run] = runs;
    if (run !== undefined) return run.run_id;
  }
}

/** Returns the number of messages in each `values` event of a run. */
async function valuesEvents(threadId: string, runId: string): Promise<number[]> {
  const counts: number[] = [];
  for await (const { event, data } of client.runs.joinStream(threadId, runId, { streamMode: ['values'] })) {
    if (event === 'values' && Array.isArray(data?.messages)) counts.push(data.messages.length);
  }
  return counts;
}
