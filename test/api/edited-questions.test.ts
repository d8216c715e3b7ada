import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient, type WorkflowHandle } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { conversationId } from '../../protocol/index.js';
import { MongoSaver } from '../../threads/index.js';
import { QUERIES, type ConversationView, type PendingInterrupt } from '../../workflows/contract.js';
import { ServiceProcesses } from '../support/house.js';

describe('an interrupt that an edit of the state closes', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/steered/langgraph.json'), { STEERED_FOLDER: '/' });
  const mongo = new MongoClient(house.mongodbUri);
  let connection: Connection;
  let client: Client;

  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api(), mongo.connect()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
    connection = await Connection.connect({ address: house.temporalAddress });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await Promise.all([connection.close(), mongo.close()]);
  });

  /** Creates a thread with an open interrupt, which gets its default answer after `seconds`. */
  async function asked(seconds: number): Promise<{ threadId: string; handle: WorkflowHandle }> {
    const threadId = randomUUID();
    const input = { messages: [{ role: 'user', content: String(seconds) }] };
    await client.runs.wait(threadId, 'due', { input, ifNotExists: 'create' });
    const handle = new TemporalClient({ connection }).workflow.getHandle(conversationId('default', threadId));
    // `runs.wait` returns as soon as the event log contains the interrupt. The step reports the
    // interrupt to the conversation shortly after that, so this loop waits for the report.
    const isOpen = async () => (await handle.query<PendingInterrupt[]>(QUERIES.pendingInterrupts)).length > 0;
    while (!(await isOpen()));
    return { threadId, handle };
  }

  it('is no longer open in the conversation and in the thread, and the thread is idle', async () => {
    const { threadId, handle } = await asked(3_600);
    await client.threads.updateState(threadId, { values: { messages: [] }, asNode: 'ask' });
    expect(await client.threads.get(threadId)).toMatchObject({ status: 'idle', interrupts: {} });
    expect(await handle.query<PendingInterrupt[]>(QUERIES.pendingInterrupts)).toEqual([]);
    expect(await handle.query<ConversationView>(QUERIES.state)).toMatchObject({ status: 'idle', notes: [] });
  });

  it('is no longer open even if its node is still the next to run; the thread then keeps the status `interrupted`', async () => {
    const { threadId, handle } = await asked(3_600);
    await client.threads.updateState(threadId, { values: null, asNode: '__copy__' });
    expect(await client.threads.get(threadId)).toMatchObject({ status: 'interrupted', interrupts: {} });
    expect(await handle.query<ConversationView>(QUERIES.state)).toMatchObject({
      status: 'interrupted',
      interrupts: [],
    });
  });

  it('gets no default answer, even if the conversation was not notified of the edit', async () => {
    const { threadId, handle } = await asked(2);
    const db = mongo.db(house.name);
    const graph = new StateGraph(MessagesAnnotation).addNode('ask', () => ({})).addEdge(START, 'ask');
    const saver = new MongoSaver({ client: mongo, db, tenant: 'default' });
    const edited = graph.compile({ checkpointer: saver as never });
    await edited.updateState({ configurable: { thread_id: threadId } }, { messages: [] }, 'ask');
    for (;;) {
      const { notes } = await handle.query<ConversationView>(QUERIES.state);
      const [note] = notes;
      if (note === undefined) continue;
      expect(note.text).toMatch(/was refused: its question is not asked any more$/);
      break;
    }
    expect(await client.runs.list(threadId)).toHaveLength(1);
  });
});
