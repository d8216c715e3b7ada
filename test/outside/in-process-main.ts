/**
 * Runs a talk with a graph in this process, as its author would: LangGraph alone, with a `MemorySaver`. A process of its own, because a project's
 * TypeScript cannot be imported where Jest loads the modules. Takes `{ config, talk }` as a message, answers with what came out.
 */
import { Command, MemorySaver } from '@langchain/langgraph';
import { randomUUID } from 'node:crypto';
import { loadProject } from '../../agents/index.js';
import { MODES, Normalizer, type Talk, type Transcript } from './transcript.js';

async function run(config: string, talk: Talk): Promise<Transcript> {
  const project = await loadProject(config);
  const graph = await project.load(talk.graph);
  graph.checkpointer = new MemorySaver();
  const configurable = { thread_id: randomUUID() };
  const normal = new Normalizer();
  const turns: Transcript['turns'] = [];
  for (const { input, command } of talk.turns) {
    const turn: Transcript['turns'][number] = { events: [] };
    turns.push(turn);
    try {
      const stream = await graph.stream((command ? new Command(command) : input) as never, {
        configurable,
        runId: randomUUID(),
        streamMode: MODES.map((mode) => (mode === 'messages-tuple' ? 'messages' : mode)),
        subgraphs: true,
        durability: 'sync',
      });
      for await (const [path, mode, data] of stream as AsyncIterable<[string[], string, unknown]>) {
        if (path.length > 0 && !talk.subgraphs) continue;
        turn.events.push(normal.event([mode, ...path].join('|'), data));
      }
    } catch (error) {
      turn.error = (error as Error).message;
    }
  }
  const { values, next } = await graph.getState({ configurable });
  return { turns, state: { values: normal.value(values), next } };
}

process.once('message', ({ config, talk }: { config: string; talk: Talk }) => {
  run(config, talk).then(
    (transcript) => process.send?.({ transcript }, () => process.exit()),
    (error: unknown) => process.send?.({ error: String((error as Error).stack ?? error) }, () => process.exit(1)),
  );
});
