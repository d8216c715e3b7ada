import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

/** How often the server answers 502 to each path before it answers 200. */
type Faults = Partial<Record<'node' | 'second', number>>;

/** An HTTP server that the nodes of the test project call. Counts the requests of each path. */
class FailingServer {
  readonly calls: Record<string, number> = {};
  #faults: Faults = {};
  readonly #server: Server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const count = (this.calls[path] ?? 0) + 1;
    this.calls[path] = count;
    response.writeHead(count <= (this.#faults[path as keyof Faults] ?? 0) ? 502 : 200).end('fine');
  });

  start(): Promise<void> {
    return new Promise((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  fail(faults: Faults): void {
    this.#faults = faults;
  }

  reset(): void {
    for (const path of Object.keys(this.calls)) delete this.calls[path];
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('a node that gets a 502', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/retries/langgraph.json'));
  const server = new FailingServer();
  let client: Client;
  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api(), server.start()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterEach(() => server.reset());
  afterAll(async () => {
    server.stop();
    await house.stop();
  });

  async function run(graph: string, faults: Faults): Promise<{ status: string; calls: Record<string, number> }> {
    server.fail(faults);
    const { thread_id } = await client.threads.create();
    const { run_id } = await client.runs.create(thread_id, graph, { input: { url: server.url } });
    await client.runs.join(thread_id, run_id);
    const { status } = await client.runs.get(thread_id, run_id);
    return { status, calls: { ...server.calls } };
  }

  it.each([
    ['allows three attempts', 'thrice', 3],
    ['allows one attempt', 'once', 1],
    ['refuses to retry the error', 'refusing', 1],
    ['is the default of all nodes', 'defaulted', 3],
    ['belongs to the graph', 'whole', 3],
    ['belongs to a node of a subgraph', 'inner', 3],
    ['belongs to the node that is a subgraph', 'outer', 3],
    ['belongs to a node of a graph that a function calls', 'calling', 3],
    ['belongs to a node whose error becomes the cause of another one', 'wrapping', 3],
    ['belongs to a functional task that a node calls', 'tasked', 3],
    ['belongs to a functional task of an entrypoint', 'functional', 3],
    ['allows a functional task one attempt', 'functionalOnce', 1],
  ])('is called as often as its retry policy allows, if the policy %s', async (_what, graph, calls) => {
    expect(await run(graph, { node: 99 })).toEqual({ status: 'error', calls: { node: calls } });
  });

  it('is retried by the step if it has no retry policy', async () => {
    expect(await run('none', { node: 1 })).toEqual({ status: 'success', calls: { node: 2 } });
  });

  it('is retried as `metadata.temporal.retry` says, with the attempts of its policy in each attempt', async () => {
    expect(await run('explicit', { node: 99 })).toEqual({ status: 'error', calls: { node: 4 } });
  });

  it('goes to its error handler after the attempts of its policy', async () => {
    expect(await run('handled', { node: 99 })).toEqual({ status: 'success', calls: { node: 3 } });
  });

  it('ends the run after its own attempts if a parallel node without a policy succeeds', async () => {
    expect(await run('parallel', { node: 99 })).toEqual({ status: 'error', calls: { node: 3, second: 1 } });
  });

  it('is retried by the step if it has no policy, although a parallel node has one', async () => {
    expect(await run('parallel', { second: 1 })).toEqual({ status: 'success', calls: { node: 1, second: 2 } });
  });

  it('is retried by the step if another node with a policy failed before and was handled', async () => {
    expect(await run('recovering', { node: 99, second: 1 })).toEqual({
      status: 'success',
      calls: { node: 2, second: 2 },
    });
  });

  it('reports the name and message of the error of the last attempt', async () => {
    server.fail({ node: 99 });
    const { thread_id } = await client.threads.create();
    const events = [];
    for await (const event of client.runs.stream(thread_id, 'thrice', { input: { url: server.url } }))
      events.push(event);
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { error: 'Error', message: 'node answered 502' } });
  });
});
