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
  let url: string;

  beforeAll(async () => {
    model = await ModelServer.start();
    house = new ServiceProcesses(resolve('test/fixtures/projects/model/langgraph.json'), { MODEL_URL: model.url });
    const [, api] = await Promise.all([house.worker(), house.api()]);
    ({ url } = api);
    client = new Client({ apiUrl: url, apiKey: null });
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

  it('makes a later HTTP request with the same idempotency key fail (503) until the run of the message has begun', async () => {
    model.reset();
    model.add({ times: 1, reply: { text: 'a b c', stallAfter: 1 } });
    const { thread_id: threadId } = await client.threads.create();
    const body = (content: string) => ({ assistant_id: 'chat', input: { messages: [{ role: 'user', content }] } });
    const first = await client.runs.create(threadId, 'chat', body('first'));
    const exchange = await model.exchange(0);
    await exchange.stalled;
    const conversation = new TemporalClient({ connection }).workflow.getHandle(conversationId('default', threadId));
    await conversation.signal(SIGNALS.message, { input: 'second', key: 'same' });
    const post = () =>
      fetch(`${url}/threads/${threadId}/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'same' },
        body: JSON.stringify(body('second')),
      });

    const early = await post();
    expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await early.text()).toContain('has this idempotency key and is not recorded yet; try again');

    await client.runs.cancel(threadId, first.run_id, true);
    await (
      await model.exchange(1)
    ).ended;
    const late = await post();
    expect(late.status).toBe(200);
    const { run_id: runId } = (await late.json()) as { run_id: string };
    await client.runs.join(threadId, runId);
    expect((await client.runs.list(threadId)).map((run) => run.run_id)).toEqual([runId, first.run_id]);
    expect(model.exchanges).toHaveLength(2);
  });
});
