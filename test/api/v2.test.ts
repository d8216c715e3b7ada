import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client, type ThreadStream } from '@langchain/langgraph-sdk';
import { WebSocket } from 'ws';
import type { ProtocolEvent } from '../../api/protocol-v2/events.js';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { ProtocolReader, command, dataOf, isTerminal, outline } from '../support/protocol-reader.js';

const ALL = ['values', 'updates', 'messages', 'tools', 'lifecycle', 'input', 'checkpoints', 'tasks', 'custom'];

describe('protocol v2 on real servers', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/protocol/langgraph.json'));
  let api: ServiceProcess;
  let other: ServiceProcess;

  beforeAll(async () => {
    [, api, other] = await Promise.all([house.worker(), house.api(), house.api()]);
  }, 60_000);
  afterAll(() => house.stop());

  const said = (text: string) => ({ messages: [{ role: 'user', id: 'u1', content: text }] });

  function openThread(transport: 'sse' | 'websocket', threadId: string = randomUUID()) {
    const client = new Client({ apiUrl: api.url, apiKey: null });
    const webSocketFactory = (url: string) => new WebSocket(url) as unknown as globalThis.WebSocket;
    return client.threads.stream(threadId, { assistantId: 'desk', transport, webSocketFactory });
  }

  /** Resolves when the SDK receives the next event that ends a run. */
  function ended(thread: ThreadStream): Promise<void> {
    return new Promise((resolve) => {
      const stop = thread.onEvent((event) => {
        if (!isTerminal(event as unknown as ProtocolEvent)) return;
        stop();
        resolve();
      });
    });
  }

  /**
   * Executes one run on a new thread. Returns the id of the thread, the open reader of its events,
   * and all events of the run.
   */
  async function toldThread(text: string, assistant = 'desk') {
    const threadId = randomUUID();
    const reader = await ProtocolReader.open(api.url, threadId, { channels: ALL });
    await reader.command('run.start', { assistant_id: assistant, input: said(text) });
    const events = await reader.until(isTerminal);
    return { threadId, reader, events };
  }

  it("streams the events of a run in LangGraph's order, for a run that creates its thread", async () => {
    const { reader, events } = await toldThread('hi');
    reader.close();
    expect(events.map(outline).slice(0, 22)).toEqual([
      'lifecycle running',
      'checkpoints',
      'values',
      'tasks plan',
      'custom',
      'lifecycle plan: started',
      'messages plan: message-start',
      'messages plan: message-finish',
      'updates plan',
      'tasks plan',
      'lifecycle plan: completed',
      'checkpoints',
      'values',
      'tasks tools',
      'lifecycle tools: started',
      'tools tools: tool-started',
      'custom',
      'tools tools: tool-finished',
      'updates tools',
      'tasks tools',
      'lifecycle tools: completed',
      'checkpoints',
    ]);
    expect(events.map(outline).slice(-16)).toEqual(
      [
        'lifecycle answer: started',
        'messages answer: message-start',
        'messages answer: content-block-start',
        ...Array<string>(6).fill('messages answer: content-block-delta'),
        'messages answer: content-block-finish',
        'messages answer: message-finish',
        'updates answer',
        'tasks answer',
        'lifecycle answer: completed',
        'checkpoints',
        'values',
        'lifecycle completed',
      ].slice(-16),
    );
    const numbers = events.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(reader.ids).toEqual(events.map(({ event_id }) => event_id));
  });

  it.each(['sse', 'websocket'] as const)('streams a run to the SDK over %s', async (transport) => {
    const thread = openThread(transport);
    const deltas = (async () => {
      const told: string[] = [];
      for await (const message of thread.messages) told.push(await message.text);
      return told;
    })();
    const { run_id } = await thread.run.start({ input: said('hi') });
    const output = (await thread.output) as { messages: { content: unknown }[] };
    expect(run_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(output.messages.at(-1)).toMatchObject({ content: [{ type: 'text', text: 'Hi you' }] });
    await thread.close();
    expect(await deltas).toEqual(['', 'Hi you', 'noted', 'Hi you']);
  });

  it.each(['sse', 'websocket'] as const)(
    'reports an interrupt, and continues with the answer that the client sends, over %s',
    async (transport) => {
      const thread = openThread(transport);
      await thread.run.start({ input: said('really?') });
      await thread.output;
      expect(thread.interrupted).toBe(true);
      const [asked] = thread.interrupts;
      expect(asked).toMatchObject({ payload: { question: 'really?' }, namespace: [] });
      const answered = ended(thread);
      await thread.input.respond({ namespace: [], interrupt_id: asked?.interruptId ?? '', response: 'yes' });
      await answered;
      const { values } = await thread.state.get({ namespace: [] });
      expect((values['messages'] as { content: unknown }[]).map(({ content }) => content)).toContain('told "yes"');
      await thread.close();
    },
  );

  it('reports an answered interrupt to clients, even if the answer is the input of run.start', async () => {
    const { threadId, reader, events } = await toldThread('really?');
    const asked = events.find(({ method }) => method === 'input.requested');
    expect(outline(events.at(-1))).toBe('lifecycle interrupted');
    const id = (asked?.params.data as { interrupt_id: string }).interrupt_id;
    const unknown = await reader.command('input.respond', { namespace: [], interrupt_id: 'nobody', response: 1 });
    expect(unknown).toMatchObject({ type: 'error', error: 'no_such_interrupt' });
    expect(unknown['message']).toContain(id);
    await reader.command('run.start', { assistant_id: 'desk', input: { [id]: 'sure' } });
    const all = await reader.until(isTerminal, 2);
    expect(outline(all.at(-1))).toBe('lifecycle completed');
    expect(all.find(({ method }) => method === 'input.answered')?.params.data).toEqual({ interrupt_ids: [id] });
    const again = await reader.command('input.respond', { namespace: [], interrupt_id: id, response: 1 });
    expect(again).toMatchObject({ error: 'no_such_interrupt' });
    reader.close();
    expect(threadId).toBeTruthy();
  });

  it('resumes a stream on another API process: after the last event id, or from the first event if the client sends no id', async () => {
    const { threadId, reader, events } = await toldThread('hi');
    reader.close();
    const middle = Math.floor(events.length / 2);
    const since = events[middle]?.seq;
    const resumed = await ProtocolReader.open(other.url, threadId, { channels: ALL, since });
    expect(await resumed.until(isTerminal)).toEqual(events.slice(middle + 1));
    resumed.close();
    const header = { 'last-event-id': events[middle]?.event_id ?? '' };
    const byHeader = await ProtocolReader.open(other.url, threadId, { channels: ALL }, header);
    expect(await byHeader.until(isTerminal)).toEqual(events.slice(middle + 1));
    await byHeader.command('run.start', { assistant_id: 'desk', input: said('more') });
    const more = await byHeader.until(isTerminal, 2);
    expect(more.length).toBeGreaterThan(events.length - middle + 10);
    byHeader.close();
    const whole = await ProtocolReader.open(other.url, threadId, { channels: ALL });
    expect((await whole.until(isTerminal, 2)).slice(0, events.length)).toEqual(events);
    whole.close();
  });

  it('sends exactly the events after the event that the client names, whichever event that is', async () => {
    const { threadId, reader, events } = await toldThread('really?');
    reader.close();
    for (const at of events.keys()) {
      if (at % 7 !== 0) continue;
      const resumed = await ProtocolReader.open(api.url, threadId, { channels: ALL, since: events[at]?.seq });
      const rest = at === events.length - 1 ? [] : await resumed.until(isTerminal);
      expect(rest).toEqual(events.slice(at + 1));
      resumed.close();
    }
  });

  it('sends each of two subscribers only the channels and namespaces that it requested', async () => {
    const threadId = randomUUID();
    const tokens = await ProtocolReader.open(api.url, threadId, {
      channels: ['messages', 'lifecycle'],
      namespaces: [['answer']],
    });
    const nested = await ProtocolReader.open(other.url, threadId, {
      channels: ['lifecycle', 'values', 'custom:progress'],
      namespaces: [[]],
      depth: 1,
    });
    await nested.command('run.start', { assistant_id: 'desk', input: said('hi') });
    const shallow = (await nested.until(isTerminal)).map(outline);
    const deep = await tokens.until(
      ({ method, params }) => method === 'lifecycle' && dataOf(params).event === 'completed',
    );
    expect(deep.map(outline)).toEqual([
      'lifecycle answer: started',
      'messages answer: message-start',
      'messages answer: content-block-start',
      ...Array<string>(6).fill('messages answer: content-block-delta'),
      'messages answer: content-block-finish',
      'messages answer: message-finish',
      'lifecycle answer: completed',
    ]);
    expect(new Set(shallow.map((line) => line.split(' ')[0]))).toEqual(new Set(['lifecycle', 'values', 'custom']));
    expect(shallow.filter((line) => line.startsWith('custom'))).toHaveLength(1);
    expect(shallow).toContain('lifecycle researcher: started');
    expect(shallow).not.toContain('lifecycle researcher/think: started');
    tokens.close();
    nested.close();
  });

  it('sends the error of a failed run', async () => {
    const { reader, events } = await toldThread('hi', 'failing');
    reader.close();
    expect(events.at(-1)?.params).toMatchObject({
      namespace: [],
      data: { event: 'failed', graph_name: 'failing', error: 'the node cannot do this' },
    });
  });

  it('also streams runs that were started by the run API', async () => {
    const threadId = randomUUID();
    const client = new Client({ apiUrl: api.url, apiKey: null });
    const reader = await ProtocolReader.open(api.url, threadId, { channels: ALL });
    await client.threads.create({ threadId });
    await client.runs.create(threadId, 'desk', {
      input: said('hi'),
      streamMode: ['values', 'updates', 'messages-tuple'],
      streamSubgraphs: true,
    });
    const events = (await reader.until(isTerminal)).map(outline);
    reader.close();
    const answer = events.filter((line) => line.includes('answer'));
    expect(answer).toEqual([
      'lifecycle answer: started',
      'messages answer: message-start',
      'messages answer: content-block-start',
      ...Array<string>(6).fill('messages answer: content-block-delta'),
      'messages answer: content-block-finish',
      'messages answer: message-finish',
      'updates answer',
      'lifecycle answer: completed',
    ]);
  });

  it('reads states, forks a state, and shows the tree of a run, on any API process', async () => {
    const { threadId, reader, events } = await toldThread('hi');
    const get = await command(other.url, threadId, {
      id: 1,
      method: 'state.get',
      params: { namespace: [], keys: ['messages'] },
    });
    const last = events.findLast(({ method, params }) => method === 'checkpoints' && params.namespace.length === 0);
    const head = (last?.params.data as { id: string }).id;
    expect(get).toMatchObject({
      type: 'success',
      result: { checkpoint: { id: head, ns: '' } },
      meta: { thread_id: threadId },
    });
    const list = await command(other.url, threadId, { id: 2, method: 'state.listCheckpoints', params: { limit: 3 } });
    const { checkpoints } = list['result'] as { checkpoints: { id: string; step: number; node_name?: string }[] };
    expect(checkpoints.map(({ node_name, step }) => [node_name, step])).toEqual([
      ['answer', 5],
      ['ask', 4],
      ['researcher', 3],
    ]);
    expect(checkpoints[0]?.id).toBe(head);
    const older = await command(other.url, threadId, {
      id: 3,
      method: 'state.listCheckpoints',
      params: { limit: 1, before: checkpoints[2]?.id },
    });
    expect(older).toMatchObject({ result: { checkpoints: [{ node_name: 'tools', step: 2 }] } });
    const tree = await command(other.url, threadId, { id: 4, method: 'agent.getTree', params: {} });
    expect(tree).toMatchObject({ result: { tree: { namespace: [], status: 'completed', graph_name: 'desk' } } });
    const { children } = (tree['result'] as { tree: { children: { graph_name: string; status: string }[] } }).tree;
    expect(children.map(({ graph_name, status }) => `${graph_name} ${status}`).sort()).toEqual([
      'answer completed',
      'plan completed',
      'researcher completed',
      'tools completed',
    ]);
    const fork = await reader.command('state.fork', { checkpoint_id: checkpoints[1]?.id });
    expect(fork).toMatchObject({ type: 'success', result: { thread_id: threadId } });
    const forked = (await reader.until(isTerminal, 2)).slice(events.length).map(outline);
    expect(forked.filter((line) => line.startsWith('tasks'))).toEqual(['tasks answer', 'tasks answer']);
    const missing = await reader.command('state.fork', { checkpoint_id: randomUUID() });
    expect(missing).toMatchObject({ error: 'no_such_checkpoint' });
    expect(await reader.command('state.get', { namespace: ['nowhere:1'] })).toMatchObject({
      error: 'no_such_namespace',
    });
    reader.close();
  });
});
