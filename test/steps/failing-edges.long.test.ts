import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

/** An HTTP server that nodes and edges call. Counts the requests of each path. */
class CountingServer {
  readonly calls: Record<string, number> = {};
  /** How often the server answers 503 to a path before it answers 200. */
  faults: Record<string, number> = {};
  readonly #server: Server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const calls = (this.calls[path] ?? 0) + 1;
    this.calls[path] = calls;
    response.writeHead(calls <= (this.faults[path] ?? 0) ? 503 : 200).end(JSON.stringify({ calls }));
  });

  start(): Promise<void> {
    return new Promise((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  reset(): void {
    for (const path of Object.keys(this.calls)) delete this.calls[path];
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe.each([0, 100, 60_000])('a conditional edge that gets a 503 (supersteps under %s ms are joined)', (joinMs) => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/edges/langgraph.json'), {
    COLLOQUY_JOIN_QUICK_STEPS_MS: String(joinMs),
  });
  const server = new CountingServer();
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

  async function run(graph: string, faults: Record<string, number>) {
    server.faults = faults;
    const { thread_id } = await client.threads.create();
    const { run_id } = await client.runs.create(thread_id, graph, { input: { url: server.url } });
    await client.runs.join(thread_id, run_id);
    const { status } = await client.runs.get(thread_id, run_id);
    const { values } = await client.threads.getState<Record<string, unknown>>(thread_id);
    return { threadId: thread_id, status, log: values.log, values, calls: { ...server.calls } };
  }

  it.each([
    ['after a node', 'after', ['a', 'b'], { a: 2, route: 2, b: 1 }],
    ['after the start', 'atStart', ['b'], { route: 2, b: 1 }],
    ['in a subgraph', 'inSubgraph', ['a', 'b', 'end'], { a: 2, route: 2, b: 1, end: 1 }],
    ['after a subgraph, whose nodes have finished', 'afterSubgraph', ['a', 'b'], { a: 1, route: 2, b: 1 }],
    ['after a node with a retry policy', 'policy', ['a', 'b'], { a: 2, route: 2, b: 1 }],
    ['after a node with a cache', 'cached', ['a', 'b'], { a: 2, route: 2, b: 1 }],
    ['after a node with an error handler', 'handled', ['a', 'handled'], { a: 1, route: 1 }],
    ['after another edge has sent tasks', 'sends', ['a', 'b', 'b'], { a: 2, route: 2, b: 2 }],
    ['after a node that returns a command', 'command', ['a', 'b'], { a: 2, route: 2, b: 1 }],
    ['after a node that writes less at its second call', 'shrinking', ['a', 'b'], { a: 2, route: 2, b: 1 }],
  ])('is called again, with its node, if it is %s', async (_where, graph, log, calls) => {
    expect(await run(graph, { route: 1 })).toMatchObject({ status: 'success', log, calls });
    expect(server.calls).toEqual(calls);
  });

  it('keeps nothing of the failed call', async () => {
    expect((await run('shrinking', { route: 1 })).values).toEqual({ url: server.url, log: ['a', 'b'] });
  });

  it('is called again if a node runs beside its own one', async () => {
    const { status, log, calls } = await run('beside', { route: 1 });
    expect({ status, log }).toEqual({ status: 'success', log: ['a', 'p', 'b'] });
    expect(calls).toMatchObject({ route: 2, b: 1 });
  });

  it('ends the run in `error` if all calls fail, and a run without input continues with the node', async () => {
    const failed = await run('after', { route: 99 });
    expect(failed).toMatchObject({ status: 'error', log: ['a'], calls: { a: 5, route: 5 } });
    expect(server.calls).not.toHaveProperty('b');
    server.faults = {};
    await client.runs.wait(failed.threadId, 'after', { input: null });
    expect(server.calls).toEqual({ a: 6, route: 6, b: 1 });
  });

  it('runs again if its process ends while it works', async () => {
    expect(await run('crashing', {})).toMatchObject({
      status: 'success',
      log: ['a', 'b'],
      calls: { a: 2, route: 2, b: 1 },
    });
  });

  it('a node runs although another one failed before there was room for it', async () => {
    const { status, log, calls } = await run('twoAtATime', { a: 1 });
    expect({ status, log }).toEqual({ status: 'success', log: ['a', 'b', 'c'] });
    expect(calls).toMatchObject({ a: 2, c: 1 });
  });
});
