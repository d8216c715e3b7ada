/**
 * Runs conversations ({@link Talk}) with LangGraph alone and a `MemorySaver`, as the author of a
 * graph would, without Colloquy. Needs a process of its own, because Jest's module loader cannot
 * import the TypeScript of a project. The command line argument is the `langgraph.json` of the
 * project. Each message from the parent process is a {@link Talk}. The reply contains its {@link
 * Transcript}.
 */
import type * as LangGraph from '@langchain/langgraph';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadProject } from '../../agents/index.js';
import { MODES, Normalizer, type Talk, type Transcript } from './transcript.js';

const project = await loadProject(process.argv[2] ?? '');
const own = pathToFileURL(join(dirname(project.path), 'langgraph.js')).href;
const { Command, MemorySaver } = (await import(own)) as Pick<typeof LangGraph, 'Command' | 'MemorySaver'>;

async function run(talk: Talk): Promise<Transcript> {
  const graph = await project.load(talk.graph);
  graph.checkpointer = new MemorySaver();
  const configurable = { ...talk.configurable, thread_id: randomUUID() };
  const normal = new Normalizer(talk);
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

process.on('message', (talk: Talk) => {
  run(talk).then(
    (transcript) => process.send?.({ transcript }),
    (error: unknown) => process.send?.({ error: String((error as Error).stack ?? error) }),
  );
});
process.send?.({ ready: true });
