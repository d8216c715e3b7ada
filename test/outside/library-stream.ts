import type { LoadedGraph } from '../../agents/index.js';
import { checkpointPayload, debugCheckpointPayload, taskPayload } from '../../steps/wire.js';
import type { Talk } from './transcript.js';

type Json = Record<string, unknown>;
type Chunk = [path: string[], mode: string, payload: unknown];
interface LibraryEvent {
  event: string;
  run_id: string;
  data: Json;
  tags?: string[];
  metadata?: unknown;
}
interface Message {
  id?: string;
  concat(other: Message): Message;
}

/** An event of a run as the API sends it. */
export interface ApiEvent {
  event: string;
  data: unknown;
}

/**
 * Runs a graph with LangGraph alone, and yields the events that LangGraph's server would send for
 * them (`streamState` in `stream.mjs` of `@langchain/langgraph-api`). `config` must have a `runId`.
 */
export async function* libraryStream(
  graph: LoadedGraph,
  input: unknown,
  config: Json,
  talk: Pick<Talk, 'subgraphs'> & Required<Pick<Talk, 'modes'>>,
): AsyncGenerator<ApiEvent> {
  const server = new ServerForms(talk);
  const options = { ...config, streamMode: server.libraryModes(), subgraphs: true, durability: 'sync' };
  if (!talk.modes.some((mode) => mode === 'events' || mode === 'messages')) {
    const chunks = (await graph.stream(input as never, options as never)) as unknown as AsyncIterable<Chunk>;
    for await (const chunk of chunks) yield* server.chunk(chunk);
    return;
  }
  const events = graph.streamEvents(input as never, { ...options, version: 'v2' } as never);
  for await (const event of events as unknown as AsyncIterable<LibraryEvent>) {
    const isChunk = event.event === 'on_chain_stream' && event.run_id === config.runId;
    if (isChunk) yield* server.chunk(event.data.chunk as Chunk);
    else if (!event.tags?.includes('langsmith:hidden')) yield* server.event(event);
  }
}

/** Converts what LangGraph streams to the forms of the server. */
class ServerForms {
  readonly #partial = new Map<string, Message>();
  readonly #complete = new Set<string>();

  constructor(private readonly talk: Pick<Talk, 'subgraphs'> & Required<Pick<Talk, 'modes'>>) {}

  libraryModes(): string[] {
    const names = this.talk.modes.flatMap((mode) => {
      if (mode === 'events') return [];
      return mode === 'messages-tuple' ? ['messages'] : mode === 'messages' ? ['values'] : [mode];
    });
    return [...new Set(names)];
  }

  *chunk([segments, mode, payload]: Chunk): Generator<ApiEvent> {
    // Older versions of LangGraph give the root graph a path with one empty segment.
    const path = segments.filter((segment) => segment !== '');
    if (path.length > 0 && !this.talk.subgraphs) return;
    const name = mode === 'messages' ? 'messages-tuple' : mode;
    if (this.talk.modes.includes(name as never))
      yield { event: [mode, ...path].join('|'), data: serverForm(mode, payload) };
    if (mode === 'values' && this.talk.modes.includes('messages')) yield* this.#completed(payload);
  }

  *event(event: LibraryEvent): Generator<ApiEvent> {
    if (this.talk.modes.includes('events')) yield { event: 'events', data: event };
    const isToken = event.event === 'on_chat_model_stream' && !event.tags?.includes('nostream');
    if (!isToken || !this.talk.modes.includes('messages')) return;
    const chunk = event.data.chunk as Message;
    if (chunk.id === undefined) return;
    const known = this.#partial.get(chunk.id);
    if (known === undefined) yield { event: 'messages/metadata', data: { [chunk.id]: { metadata: event.metadata } } };
    const message = known?.concat(chunk) ?? chunk;
    this.#partial.set(chunk.id, message);
    yield { event: 'messages/partial', data: [message] };
  }

  *#completed(values: unknown): Generator<ApiEvent> {
    const { messages } = (values ?? {}) as { messages?: Message[] };
    const fresh = (messages ?? []).filter(({ id }) => id !== undefined && !this.#complete.has(id));
    for (const { id } of fresh) this.#complete.add(id ?? '');
    if (fresh.length > 0) yield { event: 'messages/complete', data: fresh };
  }
}

function serverForm(mode: string, payload: unknown): unknown {
  if (mode === 'tasks') return taskPayload(payload as Json);
  if (mode === 'checkpoints') return checkpointPayload(payload as Json);
  if (mode !== 'debug') return payload;
  const debug = payload as { type: string; payload: Json };
  const form = debug.type === 'checkpoint' ? debugCheckpointPayload(debug.payload, 0) : taskPayload(debug.payload);
  return { ...debug, payload: form };
}
