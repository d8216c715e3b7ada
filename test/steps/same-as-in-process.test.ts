import { describe, expect, it } from '@jest/globals';
import { Annotation, START, StateGraph } from '@langchain/langgraph';
import type { LoadedGraph } from '../../agents/index.js';
import { STREAM_MODES } from '../../protocol/index.js';
import type { Scenario } from '../support/graphs.js';
import { compareAll, stepped } from './same-as.js';

// The long test has the modes `events` and `messages`, and one mode alone.
const modes = STREAM_MODES.filter((mode) => mode !== 'events' && mode !== 'messages');
compareAll([{ modes, restarts: true }]);

describe('a superstep of a graph', () => {
  const LIMIT_MS = 50;
  const Log = Annotation.Root({ log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }) });

  async function slow(): Promise<{ log: string[] }> {
    await new Promise((done) => setTimeout(done, 2 * LIMIT_MS));
    return { log: ['done'] };
  }

  const scenario: Scenario = {
    name: 'three slow nodes',
    graph: () =>
      new StateGraph(Log)
        .addNode('one', slow)
        .addNode('two', slow)
        .addNode('three', slow)
        .addEdge(START, 'one')
        .addEdge('one', 'two')
        .addEdge('two', 'three')
        .compile() as unknown as LoadedGraph,
    turns: [{ input: { log: [] } }],
  };

  it('ends its step if the superstep took longer than the limit', async () => {
    expect(
      (await stepped(scenario, ['values'], false, { joinQuickStepsMs: LIMIT_MS, staysPaused: true })).steps,
    ).toEqual([3]);
  });

  it('is followed by the next superstep in the same step if the first superstep was quicker than the limit', async () => {
    expect((await stepped(scenario, ['values'], false, { joinQuickStepsMs: 60_000, staysPaused: true })).steps).toEqual(
      [1],
    );
  });
});
