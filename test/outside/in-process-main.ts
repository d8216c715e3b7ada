/**
 * Runs conversations ({@link Talk}) with LangGraph alone and a `MemorySaver`, as the author of a
 * graph would, without Colloquy. Needs a process of its own, because Jest's module loader cannot
 * import the TypeScript of a project. The command line argument is the `langgraph.json` of the
 * project. Each message from the parent process is a {@link TalkRequest}. The reply has the same
 * number, and contains the {@link Transcript}.
 */
import type * as LangGraph from '@langchain/langgraph';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadProject } from '../../agents/index.js';
import type { TalkReply, TalkRequest } from './in-process.js';
import { libraryStream } from './library-stream.js';
import { callsOf } from './trace.js';
import { MODES, Normalizer, type Talk, type Transcript } from './transcript.js';

const project = await loadProject(process.argv[2] ?? '');
const own = pathToFileURL(join(dirname(project.path), 'langgraph.js')).href;
const { Command, MemorySaver } = (await import(own)) as Pick<typeof LangGraph, 'Command' | 'MemorySaver'>;

async function run(talk: Talk): Promise<Transcript> {
  const graph = await project.load(talk.graph);
  graph.checkpointer = new MemorySaver();
  const threadId = randomUUID();
  const configurable = { ...talk.configurable, thread_id: threadId, checkpoint_ns: '' };
  const normal = new Normalizer(talk);
  const turns: Transcript['turns'] = [];
  for (const { input, command } of talk.turns) {
    const turn: Transcript['turns'][number] = { events: [] };
    turns.push(turn);
    try {
      const given = command ? new Command(command) : input;
      const { modes = MODES, subgraphs } = talk;
      const events = libraryStream(graph, given, { configurable, runId: randomUUID() }, { modes, subgraphs });
      for await (const { event, data } of events) turn.events.push(normal.event(event, data));
    } catch (error) {
      turn.error = (error as Error).message;
    }
  }
  const { values, next } = await graph.getState({ configurable });
  const calls = callsOf(process.env.TRACES ?? '', threadId);
  return { turns, state: { values: normal.value(values), next }, calls };
}

const reply = (answer: TalkReply) => process.send?.(answer);
process.on('message', ({ id, talk }: TalkRequest) => {
  run(talk).then(
    (transcript) => reply({ id, transcript }),
    (error: unknown) => reply({ id, error: String((error as Error).stack ?? error) }),
  );
});
process.send?.({ ready: true });
