import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Annotation, Command, END, MemorySaver, START, Send, StateGraph, interrupt } from '@langchain/langgraph';
import { Client } from '@langchain/langgraph-sdk';
import { RemoteGraph } from '@langchain/langgraph/remote';
import { ServiceProcesses } from '../support/house.js';

interface Talk {
  log: string[];
}

const Log = Annotation.Root({
  log: Annotation<string[]>({ reducer: (log, more) => [...log, ...more], default: () => [] }),
});

describe("LangGraph's RemoteGraph", () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/talk/langgraph.json'));
  let apiUrl: string;
  let remote: RemoteGraph;
  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api()]);
    apiUrl = api.url;
    remote = new RemoteGraph({ graphId: 'talk', url: apiUrl, apiKey: 'none' });
  }, 60_000);
  afterAll(() => house.stop());

  const newThread = () => ({ configurable: { thread_id: randomUUID() } });

  it('can be invoked without a thread', async () => {
    expect(await remote.invoke({ log: ['hello'] })).toMatchObject({ log: ['hello', 'heard', 'answered'] });
  });

  it('streams updates, values and custom events', async () => {
    const told: unknown[] = [];
    const streamMode: ('updates' | 'values' | 'custom')[] = ['updates', 'values', 'custom'];
    for await (const part of await remote.stream({ log: ['hello'] }, { ...newThread(), streamMode })) told.push(part);
    expect(told).toEqual([
      ['values', expect.objectContaining({ log: ['hello'] })],
      ['custom', { heard: true }],
      ['updates', { hear: { log: ['heard'] } }],
      ['values', expect.objectContaining({ log: ['hello', 'heard'] })],
      ['updates', { ask: {} }],
      ['updates', { answer: { log: ['answered'] } }],
      ['values', expect.objectContaining({ log: ['hello', 'heard', 'answered'] })],
    ]);
  });

  it('reads and edits the state of its thread, and lists earlier states', async () => {
    const config = newThread();
    await remote.invoke({ log: ['hello'] }, config);
    const moved = await remote.updateState(config, { log: ['edited'] }, 'answer');
    const { values, next, config: place } = await remote.getState(config);
    expect(values).toMatchObject({ log: ['hello', 'heard', 'answered', 'edited'] });
    expect(next).toEqual([]);
    expect(place.configurable).toMatchObject({ ...config.configurable, ...pick(moved.configurable, 'checkpoint_id') });
    const logs: number[] = [];
    for await (const state of remote.getStateHistory(config))
      logs.push((state.values as Partial<Talk>).log?.length ?? 0);
    expect(logs).toEqual([4, 3, 2, 2, 1, 0]);
  });

  it("accepts a command with a Send in LangGraph's format", async () => {
    const config = newThread();
    await remote.invoke({ log: ['hello'] }, config);
    const command = new Command({ update: { log: ['sent'] }, goto: [new Send('answer', { log: [] })] });
    expect(await remote.invoke(command, config)).toMatchObject({
      log: ['hello', 'heard', 'answered', 'sent', 'answered'],
    });
  });

  it('returns its nodes, so that a client can draw the graph', async () => {
    const { nodes } = await remote.getGraphAsync();
    expect(Object.keys(nodes)).toEqual(['__start__', 'hear', 'ask', 'answer', '__end__']);
  });

  it('passes an interrupt to its parent graph, and gets the answer from the parent graph', async () => {
    const { thread_id } = await new Client({ apiUrl, apiKey: null }).threads.create();
    const place = { configurable: { thread_id } };
    const parent = new StateGraph(Log)
      .addNode('begin', () => ({ log: ['begun'] }))
      .addNode('remote', async ({ log }, config) => {
        const { tasks } = await remote.getState(place);
        const [question] = tasks.flatMap(({ interrupts }) => interrupts);
        // This node runs twice. The first time, the remote graph has no open question:
        // `remote.invoke` starts it, and its interrupt also interrupts this node. The second time,
        // after the parent graph is resumed, `interrupt` returns the answer to the question, and
        // `remote.invoke` sends the answer to the remote graph.
        const input = question ? new Command({ resume: interrupt(question.value) }) : { log };
        const said = (await remote.invoke(input, { ...config, ...place })) as Talk;
        return { log: said.log.slice(log.length) };
      })
      .addEdge(START, 'begin')
      .addEdge('begin', 'remote')
      .addEdge('remote', END)
      .compile({ checkpointer: new MemorySaver() });
    const config = newThread();
    await parent.invoke({ log: ['to Oslo?'] }, config);
    const { next, tasks } = await parent.getState(config);
    expect({ next, tasks }).toMatchObject({
      next: ['remote'],
      tasks: [{ name: 'remote', interrupts: [{ value: { question: 'to Oslo?' } }] }],
    });
    expect(await remote.getState(place)).toMatchObject({ next: ['ask'] });
    expect(await parent.invoke(new Command({ resume: 'yes' }), config)).toEqual({
      log: ['to Oslo?', 'begun', 'heard', 'told yes', 'answered'],
    });
    expect(await remote.getState(place)).toMatchObject({ next: [] });
  });

  it('can be a node of a graph; this graph streams the updates of the node like those of a subgraph', async () => {
    const parent = new StateGraph(Log).addNode('remote', remote).addEdge(START, 'remote').addEdge('remote', END);
    const told: unknown[] = [];
    const options = { ...newThread(), streamMode: 'updates' as const, subgraphs: true };
    for await (const part of await parent.compile().stream({ log: ['hello'] }, options)) told.push(part);
    expect(told).toEqual([
      [[expect.stringMatching(/^remote:/)], { hear: { log: ['heard'] } }],
      [[expect.stringMatching(/^remote:/)], { ask: {} }],
      [[expect.stringMatching(/^remote:/)], { answer: { log: ['answered'] } }],
      [[], { remote: expect.objectContaining({ log: ['hello', 'heard', 'answered'] }) }],
    ]);
  });
});

function pick(from: Record<string, unknown> | undefined, key: string): Record<string, unknown> {
  return { [key]: from?.[key] };
}
