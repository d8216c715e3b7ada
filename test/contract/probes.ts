import { randomUUID } from 'node:crypto';
import type { Client } from '@langchain/langgraph-sdk';

/**
 * A few requests of a client. They are sent to Colloquy and to LangGraph's own server, to compare
 * the answers. `run` returns what the client got. Ids and times always differ; `masked` replaces
 * them afterwards.
 */
export interface Probe {
  name: string;
  run(client: Client, url: string): Promise<unknown>;
}

const said = (...log: string[]) => ({ log });

async function thread(client: Client): Promise<string> {
  return (await client.threads.create()).thread_id;
}

async function collect(stream: AsyncIterable<{ event: string; data: unknown }>): Promise<unknown[]> {
  const parts: unknown[] = [];
  for await (const { event, data } of stream) parts.push({ event, data });
  return parts;
}

async function status(url: string, path: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url + path, { headers: { 'content-type': 'application/json' }, ...init });
  await answer.body?.cancel();
  return answer.status;
}

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const streamed = (streamMode: string, assistant = 'talk', log = 'hello'): Probe => ({
  name: `a stream of ${streamMode}, ${assistant} told "${log}"`,
  run: async (client) =>
    collect(client.runs.stream(await thread(client), assistant, { input: said(log), streamMode: streamMode as never })),
});

const assistants: Probe[] = [
  {
    name: 'system assistants',
    run: (client) => client.assistants.search({ metadata: { created_by: 'system' }, sortBy: 'name', sortOrder: 'asc' }),
  },
  { name: 'an assistant by the name of its graph', run: (client) => client.assistants.get('talk') },
  { name: 'an unknown assistant', run: (_client, url) => status(url, `/assistants/${randomUUID()}`) },
  {
    name: 'an assistant that is made, changed twice and set back',
    run: async (client) => {
      const made = await client.assistants.create({ graphId: 'talk', name: 'mine', metadata: { a: 1 } });
      const changed = await client.assistants.update(made.assistant_id, { name: 'other', config: { tags: ['x'] } });
      const versions = await client.assistants.getVersions(made.assistant_id);
      const back = await client.assistants.setLatest(made.assistant_id, 1);
      const found = await client.assistants.search({ metadata: { a: 1 }, graphId: 'talk' });
      await client.assistants.delete(made.assistant_id);
      return { made, changed, versions, back: [back.version, back.name], found: found.length };
    },
  },
  { name: 'the drawing of a graph', run: (client) => client.assistants.getGraph('talk') },
];

const threads: Probe[] = [
  { name: 'a new thread', run: (client) => client.threads.create({ metadata: { who: 'me' } }) },
  {
    name: 'a thread that is there already',
    run: async (client, url) => {
      const id = await thread(client);
      const again = (if_exists: string) => status(url, '/threads', post({ thread_id: id, if_exists }));
      return [await again('raise'), await again('do_nothing')];
    },
  },
  {
    name: 'metadata that is merged',
    run: async (client) => {
      const { thread_id } = await client.threads.create({ metadata: { a: 1, b: 1 } });
      return (await client.threads.update(thread_id, { metadata: { b: 2 } })).metadata;
    },
  },
  {
    name: 'state that is written as a node, and its history',
    run: async (client) => {
      const id = await thread(client);
      await client.runs.wait(id, 'talk', { input: said('hello') });
      await client.threads.updateState(id, { values: said('edited'), asNode: 'hear' });
      const { values, next } = await client.threads.getState(id);
      const history = await client.threads.getHistory(id);
      return {
        values,
        next,
        steps: history.map((one) => [one.next, one.metadata?.['source'], one.metadata?.['step']]),
      };
    },
  },
  {
    name: 'a copy',
    run: async (client) => {
      const id = await thread(client);
      await client.runs.wait(id, 'talk', { input: said('hello') });
      const copy = await client.threads.copy(id);
      return (await client.threads.getState(copy.thread_id)).values;
    },
  },
  {
    name: 'a thread that waits, as search shows it',
    run: async (client) => {
      const { thread_id } = await client.threads.create({ metadata: { probe: randomUUID() } });
      await client.runs.wait(thread_id, 'talk', { input: said('really?') });
      const [found] = await client.threads.search({ ids: [thread_id], status: 'interrupted' });
      return { status: found?.status, values: found?.values, questions: Object.values(found?.interrupts ?? {}) };
    },
  },
  {
    name: 'a thread that is deleted',
    run: async (client, url) => {
      const id = await thread(client);
      await client.threads.delete(id);
      return [await status(url, `/threads/${id}`), await status(url, `/threads/${id}/state`)];
    },
  },
];

const runs: Probe[] = [
  ...['values', 'updates', 'custom', 'messages-tuple', 'tasks', 'checkpoints', 'debug'].map((mode) => streamed(mode)),
  streamed('values', 'talk', 'really?'),
  streamed('updates', 'talk', 'really?'),
  {
    name: 'an answer to a question',
    run: async (client) => {
      const id = await thread(client);
      const asked = await client.runs.wait(id, 'talk', { input: said('really?') });
      const answered = await client.runs.wait(id, 'talk', { command: { resume: 'yes' } });
      return { asked, answered, runs: (await client.runs.list(id)).map((run) => run.status) };
    },
  },
  {
    name: 'reading a run',
    run: async (client) => {
      const id = await thread(client);
      const run = await client.runs.create(id, 'talk', { input: said('hello'), metadata: { a: 1 } });
      const values = await client.runs.join(id, run.run_id);
      const { kwargs: _, ...read } = (await client.runs.get(id, run.run_id)) as unknown as Record<string, unknown>;
      return { values, read };
    },
  },
  {
    name: 'a run from an earlier checkpoint',
    run: async (client) => {
      const id = await thread(client);
      await client.runs.wait(id, 'talk', { input: said('one') });
      const first = (await client.threads.getState(id)).checkpoint.checkpoint_id;
      await client.runs.wait(id, 'talk', { input: said('two') });
      return client.runs.wait(id, 'talk', { input: said('three'), checkpointId: first as string });
    },
  },
  {
    name: 'runs that wait their turn',
    run: async (client) => {
      const id = await thread(client);
      const made = [];
      for (const log of ['one', 'two', 'three'])
        made.push(await client.runs.create(id, 'talk', { input: said(log), multitaskStrategy: 'enqueue' }));
      for (const run of made) await client.runs.join(id, run.run_id);
      return (await client.threads.getState(id)).values;
    },
  },
  {
    name: 'a run that is cancelled',
    run: async (client) => {
      const id = await thread(client);
      const run = await client.runs.create(id, 'ticker', { input: { ticks: 10_000 }, streamMode: ['custom'] });
      for await (const { event } of client.runs.joinStream(id, run.run_id, { streamMode: 'custom' }))
        if (event === 'custom') break;
      await client.runs.cancel(id, run.run_id, true);
      return (await client.runs.get(id, run.run_id)).status;
    },
  },
  { name: 'a run without a thread', run: (client) => client.runs.wait(null, 'talk', { input: said('hello') }) },
  {
    name: 'an interrupt before a node',
    run: async (client) => {
      const id = await thread(client);
      await client.runs.wait(id, 'talk', { input: said('hello'), interruptBefore: ['answer'] });
      const { next, values } = await client.threads.getState(id);
      return { next, values, status: (await client.threads.get(id)).status };
    },
  },
];

const refusals: Probe[] = [
  {
    name: 'a run of an unknown assistant',
    run: async (client, url) =>
      status(url, `/threads/${await thread(client)}/runs`, post({ assistant_id: randomUUID() })),
  },
  {
    name: 'a run on an unknown thread',
    run: (_client, url) => status(url, `/threads/${randomUUID()}/runs`, post({ assistant_id: 'talk' })),
  },
  { name: 'a body that is not JSON', run: (_client, url) => status(url, '/threads', post('{')) },
  { name: 'a field of the wrong kind', run: (_client, url) => status(url, '/threads/search', post({ limit: 'ten' })) },
  { name: 'an unknown field', run: (_client, url) => status(url, '/threads', post({ colour: 'red' })) },
  { name: 'an invalid thread id', run: (_client, url) => status(url, '/threads/abc') },
  { name: 'a path that is unknown', run: (_client, url) => status(url, '/nowhere') },
];

const store: Probe[] = [
  {
    name: 'items of the store',
    run: async (client) => {
      const space = ['contract', randomUUID()];
      await client.store.putItem(space, 'k', { a: 1 });
      const got = await client.store.getItem(space, 'k');
      const found = await client.store.searchItems(space, { filter: { a: 1 } });
      const spaces = await client.store.listNamespaces({ prefix: space });
      await client.store.deleteItem(space, 'k');
      return { got, found, spaces, gone: await client.store.getItem(space, 'k') };
    },
  },
];

export const PROBES: readonly Probe[] = [...assistants, ...threads, ...runs, ...refusals, ...store];
