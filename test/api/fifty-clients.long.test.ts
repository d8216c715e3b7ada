import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';

const CLIENTS = 50;
const WORDS = 12;

interface Part {
  id?: string;
  event: string;
  data: unknown;
}

/**
 * Starts a load balancer for several API processes. It forwards each connection to the first
 * process that accepts it.
 */
async function balance(urls: string[]): Promise<{ url: string; close(): void }> {
  const ports = urls.map((url) => Number(new URL(url).port));
  const server = createServer((client) => forward(client, ports));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

function forward(client: Socket, [port, ...others]: number[]): void {
  if (port === undefined) return void client.destroy();
  const upstream = connect(port, '127.0.0.1');
  upstream.once('connect', () => client.pipe(upstream).pipe(client));
  upstream.once('error', () =>
    upstream.connecting || upstream.bytesRead > 0 ? client.destroy() : forward(client, others),
  );
  upstream.once('close', () => upstream.bytesRead > 0 && client.destroy());
  client.once('error', () => upstream.destroy());
}

describe('an API process that is killed', () => {
  let model: ModelServer;
  let house: ServiceProcesses;
  let first: ServiceProcess;
  let second: ServiceProcess;

  beforeAll(async () => {
    model = await ModelServer.start();
    house = new ServiceProcesses(resolve('test/fixtures/projects/pages/langgraph.json'), { MODEL_URL: model.url });
    [first, second] = await Promise.all([house.api(), house.api(), house.worker()]);
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await model.close();
  });

  it(`loses and repeats no event for ${CLIENTS} streaming clients, which continue on another process`, async () => {
    const text = Array.from({ length: WORDS }, (_, n) => `w${n}`).join(' ');
    model.add({ reply: { text, stallAfter: WORDS / 2 } });
    const balancer = await balance([first.url, second.url]);
    const client = new Client({ apiUrl: balancer.url, apiKey: null });
    const threads = await Promise.all(Array.from({ length: CLIENTS }, () => client.threads.create()));
    let streaming = 0;
    let allStream: () => void = () => undefined;
    const all = new Promise<void>((done) => (allStream = done));

    const ended = threads.map(async ({ thread_id }) => {
      const parts: Part[] = [];
      const input = { messages: [{ role: 'user', content: 'count' }] };
      for await (const part of client.runs.stream(thread_id, 'chat', {
        input,
        streamMode: ['messages-tuple', 'values'],
      })) {
        parts.push(part as Part);
        if (part.event === 'messages' && parts.filter(({ event }) => event === 'messages').length === 1) streaming += 1;
        if (streaming === CLIENTS) allStream();
      }
      return { thread_id, parts };
    });
    await all;
    await first.kill('SIGKILL');
    model.release();

    for (const { thread_id, parts } of await Promise.all(ended)) {
      const ids = parts.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const [run] = await client.runs.list(thread_id);
      const kept: Part[] = [];
      for await (const part of client.runs.joinStream(thread_id, run?.run_id ?? '', { lastEventId: '-1' }))
        kept.push(part as Part);
      expect(parts.map(({ id, event, data }) => ({ id, event, data }))).toEqual(
        kept.map(({ id, event, data }) => ({ id, event, data })),
      );
      const said = parts
        .filter(({ event }) => event === 'messages')
        .map(({ data }) => (data as [{ content: string }])[0]);
      expect(said.map(({ content }) => content).join('')).toBe(text);
    }
    balancer.close();
  }, 120_000);
});
