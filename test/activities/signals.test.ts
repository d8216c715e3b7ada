import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { conversationId } from '../../protocol/index.js';
import { CONVERSATION_WORKFLOW, SIGNALS } from '../../workflows/contract.js';
import { ServiceProcesses } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';

describe('a chat message that is sent to a conversation by a Temporal signal', () => {
  let house: ServiceProcesses;
  let model: ModelServer;
  let connection: Connection;
  let client: Client;

  beforeAll(async () => {
    model = await ModelServer.start();
    house = new ServiceProcesses(resolve('test/fixtures/projects/model/langgraph.json'), { MODEL_URL: model.url });
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
    connection = await Connection.connect({ address: house.temporalAddress });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await connection.close();
    await model.close();
  });

  it('becomes the first human message of a new conversation; the next message goes to the same assistant', async () => {
    const threadId = randomUUID();
    const temporal = new TemporalClient({ connection });
    const handle = await temporal.workflow.signalWithStart(CONVERSATION_WORKFLOW, {
      workflowId: conversationId('default', threadId),
      taskQueue: house.name,
      signal: SIGNALS.message,
      signalArgs: [{ input: 'hello', assistantId: 'chat' }],
    });
    await (
      await model.exchange(0)
    ).ended;
    await handle.signal(SIGNALS.message, 'and again');
    await (
      await model.exchange(1)
    ).ended;
    // The run of this request comes after the runs of the two signals.
    const result = (await client.runs.wait(threadId, 'chat', {
      input: { messages: [{ role: 'user', content: 'third' }] },
    })) as { messages: { type: string; content: string }[] };
    expect(result.messages.map(({ content }) => content)).toEqual([
      'hello',
      'Answer to "hello".',
      'and again',
      'Answer to "and again".',
      'third',
      'Answer to "third".',
    ]);
  });
});
