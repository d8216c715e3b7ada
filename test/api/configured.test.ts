import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

/** Names of headers that hold credentials. */
const SECRET_HEADERS = [
  ...['x-auth-token', 'x-amz-security-token', 'x-token', 'x-csrf-token', 'x-client-secret', 'x-secret-id'],
  ...['x-password', 'x-credential', 'x-amz-credentials', 'x-authorization', 'x-forwarded-authorization'],
  ...['x-auth', 'x-auth-scheme', 'x-apikey', 'x-goog-apikey', 'x-functions-key', 'x-my-key'],
];

describe('the configuration of a graph', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/shaped/langgraph.json'));
  let url: string;
  let client: Client;
  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api()]);
    ({ url } = api);
    client = new Client({ apiUrl: url, apiKey: null });
  }, 60_000);
  afterAll(() => house.stop());

  it('contains LANGGRAPH_CONFIG from the environment of the project', async () => {
    const [assistant] = await client.assistants.search({ graphId: 'told' });
    expect(assistant).toMatchObject({ config: { configurable: { colour: 'blue' } }, context: { mood: 'calm' } });
    expect(await client.runs.wait(null, 'told', { input: {} })).toMatchObject({
      configurable: { colour: 'blue' },
      context: { mood: 'calm' },
    });
  });

  it('contains the headers of the request, except headers with credentials', async () => {
    const headers = {
      'x-user': 'ada',
      'x-author': 'bob',
      'x-Colour': 'red',
      'x-api-key': 'secret',
      'x-tenant-id': 'secret',
      'x-service-key': 'secret',
      ...Object.fromEntries(SECRET_HEADERS.map((name) => [name, 'secret'])),
      authorization: 'secret',
      'user-agent': 'probe',
    };
    const body = { assistant_id: 'told', input: {}, config: { configurable: { 'x-colour': 'green', size: 'big' } } };
    const ask = async (path: string, given: unknown) => {
      const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(given), headers });
      expect(response.status).toBe(200);
      return response;
    };
    const inThread = await client.threads.create();
    const answers = await Promise.all(
      ['/runs/wait', `/threads/${inThread.thread_id}/runs/wait`].map(async (path) => (await ask(path, body)).json()),
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({
        configurable: { 'x-user': 'ada', 'x-author': 'bob', 'x-colour': 'red', 'user-agent': 'probe', size: 'big' },
      });
      expect(JSON.stringify(answer)).not.toContain('secret');
    }
    const [run] = (await (await ask('/runs/batch', [body])).json()) as { kwargs: { config: unknown } }[];
    expect(run?.kwargs.config).toMatchObject({ configurable: { 'x-user': 'ada' } });
  });

  it('is taken from the last run of a thread when the state of the thread is read or edited', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const config = { configurable: { node: 'pilot' } };
    await client.runs.wait(threadId, 'shaped', { input: { log: [] }, config });
    expect(await client.threads.get(threadId)).toMatchObject({ status: 'interrupted' });
    expect(await client.threads.getState(threadId)).toMatchObject({
      next: ['pilot'],
      tasks: [{ name: 'pilot', interrupts: [{ value: 'go on?' }] }],
    });
    await client.runs.wait(threadId, 'shaped', { command: { resume: 'yes' }, config });
    await client.threads.updateState(threadId, { values: { log: ['edited'] }, asNode: 'pilot' });
    expect((await client.threads.getState(threadId)).values).toEqual({ log: ['pilot: yes', 'edited'] });
    await expect(client.threads.updateState(threadId, { values: { log: [] }, asNode: 'unnamed' })).rejects.toThrow(
      '422',
    );
  });
});
