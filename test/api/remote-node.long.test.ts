import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { CompiledStateGraph } from '@langchain/langgraph';
import { Client } from '@langchain/langgraph-sdk';
import { Connection } from '@temporalio/client';
import { ServiceProcesses } from '../support/house.js';

type AnyGraph = CompiledStateGraph<unknown, unknown, string>;

const NODES = ['talk', 'bound', 'nested', 'beside'] as const;
const MODES = ['values', 'updates', 'custom', 'tasks'] as const;
const IDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g;

/**
 * A RemoteGraph sends the thread id of its parent. So the two deployments have a thread with the
 * same id, and each of them needs a Temporal namespace of its own.
 */
describe('a RemoteGraph as a node, with a graph of another deployment', () => {
  const namespace = `far-${randomUUID()}`;
  const far = new ServiceProcesses(resolve('test/fixtures/projects/talk/langgraph.json'), {
    TEMPORAL_NAMESPACE: namespace,
  });
  let near: ServiceProcesses;
  let client: Client;
  let nearUrl: string;
  let farClient: Client;
  let graphs: Record<string, AnyGraph>;

  beforeAll(async () => {
    await registerNamespace(namespace);
    const [, farApi] = await Promise.all([far.worker(), far.api()]);
    process.env.REMOTE_URL = farApi.url;
    near = new ServiceProcesses(resolve('test/fixtures/projects/remote/langgraph.json'));
    const [, api] = await Promise.all([near.worker(), near.api()]);
    nearUrl = api.url;
    client = new Client({ apiUrl: nearUrl, apiKey: null, callerOptions: { maxRetries: 0 } });
    farClient = new Client({ apiUrl: farApi.url, apiKey: null });
    graphs = (await import('../fixtures/projects/remote/graphs.js' as string)) as Record<string, AnyGraph>;
  }, 90_000);
  afterAll(async () => {
    delete process.env.REMOTE_URL;
    await near.stop();
    await far.stop();
  }, 60_000);

  const input = { log: ['hello'] };
  const inProcess = (name: string) => graphs[name] as AnyGraph;

  it.each(NODES)('gives the state that it gives in-process, in a stateless run: %s', async (name) => {
    expect(await client.runs.wait(null, name, { input })).toEqual(await inProcess(name).invoke(input));
  });

  it.each(['talk', 'bound', 'nested'])('streams what it streams in-process, with subgraphs: %s', async (name) => {
    const options = { streamMode: [...MODES], subgraphs: true, configurable: { thread_id: randomUUID() } };
    const expected = [];
    for await (const chunk of await inProcess(name).stream(input, options as never)) {
      const [path, mode, data] = chunk as unknown as [string[], string, unknown];
      expected.push({ event: [mode, ...path].join('|'), data });
    }
    const { thread_id } = await client.threads.create();
    const streamed = [];
    const request = { input, streamMode: [...MODES], streamSubgraphs: true };
    for await (const { event, data } of client.runs.stream(thread_id, name, request)) {
      if (event !== 'metadata') streamed.push({ event, data });
    }
    expect(comparable(streamed)).toEqual(comparable(expected));
  });

  it('fails at once if it asks for a run on its own thread, which would wait for itself', async () => {
    const { thread_id } = await client.threads.create();
    const config = { configurable: { url: nearUrl } };
    const waited = await client.runs.wait(thread_id, 'itself', { input, config, raiseError: false });
    expect(waited).toMatchObject({ __error__: { message: expect.stringContaining('would wait for itself') } });
  });

  it('passes a question of its graph on, and both threads wait for the answer', async () => {
    const { thread_id } = await client.threads.create();
    const question = { value: { question: 'to Oslo?' } };
    const waited = await client.runs.wait(thread_id, 'talk', { input: { log: ['to Oslo?'] } });
    expect(waited).toMatchObject({ __interrupt__: [question] });
    expect(await client.threads.get(thread_id)).toMatchObject({ status: 'interrupted' });
    expect(await client.threads.getState(thread_id, undefined, { subgraphs: true })).toMatchObject({
      next: ['remote'],
      tasks: [{ name: 'remote', interrupts: [question] }],
    });
    expect(await farClient.threads.getState(thread_id)).toMatchObject({ next: ['ask'] });
  });

  it('ends the run with the error of its graph, which is called once', async () => {
    const { thread_id } = await client.threads.create();
    const failed = await client.runs.wait(thread_id, 'broken', { input, raiseError: false });
    const message = JSON.stringify({ error: 'TypeError', message: 'the node cannot do this' });
    expect(failed).toEqual({ __error__: { error: 'RemoteException', message } });
    expect(await farClient.runs.list(thread_id)).toHaveLength(1);
  });

  it("sends no key of the platform to the other deployment, and its parent's thread id", async () => {
    const { thread_id } = await client.threads.create();
    await client.runs.wait(thread_id, 'talk', { input });
    const [run] = (await farClient.runs.list(thread_id)) as unknown as { kwargs: { config: object } }[];
    expect(JSON.stringify(run)).not.toMatch(/"__\w+":|colloquy/);
    expect(run?.kwargs.config).toMatchObject({ configurable: { thread_id, graph_id: 'talk' } });
  });

  it('is drawn as one node, also if subgraphs are drawn with their nodes', async () => {
    const ids = async (name: string, xray: boolean) => {
      const [assistant] = await client.assistants.search({ graphId: name });
      const { nodes } = await client.assistants.getGraph(assistant?.assistant_id ?? '', { xray });
      return nodes.map(({ id }) => id);
    };
    const plain = ['__start__', 'begin', 'remote', 'end', '__end__'];
    expect(await ids('talk', false)).toEqual(plain);
    expect(await ids('talk', true)).toEqual(plain);
    const inner = ['remote:begin', 'remote:remote', 'remote:end'];
    expect(await ids('nested', true)).toEqual(['__start__', 'begin', ...inner, 'end', '__end__']);
  });

  it('is listed as a subgraph, without the subgraphs that only its server knows', async () => {
    const [assistant] = await client.assistants.search({ graphId: 'nested' });
    const list = async (options: object) =>
      Object.keys(await client.assistants.getSubgraphs(assistant?.assistant_id ?? '', options));
    expect(await list({})).toEqual(['remote']);
    expect(await list({ recurse: true })).toEqual(['remote', 'remote|remote']);
    expect(await list({ recurse: true, namespace: 'remote|remote' })).toEqual(['remote|remote']);
  });
});

/** Creates a Temporal namespace. Resolves when workers can use it. */
async function registerNamespace(namespace: string): Promise<void> {
  const connection = await Connection.connect({ address: process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? '' });
  const { workflowService } = connection;
  const workflowExecutionRetentionPeriod = { seconds: 86_400 as never };
  await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  const isKnown = () =>
    workflowService.listWorkflowExecutions({ namespace, pageSize: 1 }).then(
      () => true,
      () => false,
    );
  while (!(await isKnown())) await new Promise((done) => setTimeout(done, 50));
  await connection.close();
}

/** Returns events without ids, and without the metadata that a server adds to tasks. */
function comparable(events: { event: string; data: unknown }[]): unknown {
  const text = JSON.stringify(events, (key, value: unknown) => (key === 'metadata' ? undefined : value));
  const ids = new Map<string, string>();
  const masked = text.replace(IDS, (id) => {
    if (!ids.has(id)) ids.set(id, `id ${ids.size}`);
    return ids.get(id) ?? '';
  });
  return JSON.parse(masked);
}
