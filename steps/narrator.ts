import type { NewEvent } from '../streams/index.js';
import type { StepProgress } from './progress.js';
import { checkpointPayload, debugCheckpointPayload, taskPayload, toReferringText, type StoredValue } from './wire.js';

type Json = Record<string, unknown>;

export interface NarratorOptions {
  runId: string;
  modes: readonly string[];
  subgraphs: boolean;
  /** Chunks are those of version 3 of LangGraph's events: messages as protocol events, checkpoints as envelopes. */
  v3?: boolean;
  /** Of the whole run. */
  recursionLimit: number;
  progress: StepProgress;
  append: (event: NewEvent) => void;
  /** Of the values that events are told without, as they are stored already and large. */
  storedValue: (value: object) => StoredValue | undefined;
  /** Namespaces that go on where an earlier step of the run left them: what LangGraph says again of them is dropped. */
  continued: ReadonlySet<string>;
  /** Ids of messages that were put into the state right here: what LangGraph says of the root's state is new. */
  injected?: ReadonlySet<string>;
  /** Ids of messages that are told: a subgraph that had finished says its own again as the output of its node. */
  told?: ReadonlySet<string>;
  /** Also what finished tasks said before is said again (their first telling was superseded), so it is no cache's. */
  retelling: boolean;
}

/** Namespace, mode and payload, as `graph.stream` gives them with several modes and subgraphs. */
export type Chunk = [path: string[] | null, mode: string, payload: unknown];

/** Modes that come from nodes and models at work, not from the progress of a graph. */
const WORK_MODES: ReadonlySet<string> = new Set(['messages', 'custom', 'tools']);

/** What version 3 tells; `messages-tuple` is the name of what LangGraph streams as `messages`. */
export const V3_MODES: readonly string[] = [
  'values',
  'updates',
  'messages-tuple',
  'tools',
  'custom',
  'tasks',
  'checkpoints',
];

interface StreamedMessage {
  id?: string;
  concat?: (other: StreamedMessage) => StreamedMessage;
}

/** Turns what a graph streams into events of the run, each once, as one uninterrupted execution would have told them. */
export class Narrator {
  readonly #options: NarratorOptions;
  readonly #modes: ReadonlySet<string>;
  /** Namespaces that have started a task, and so are past repeating. */
  readonly #opened = new Set<string>();
  /** Namespaces in the middle of a superstep that an earlier step began. */
  readonly #midway: Set<string>;
  readonly #partial = new Map<string, StreamedMessage>();
  readonly #complete = new Set<string>();
  /** Model runs whose message is being told again, and is left out. */
  readonly #skipped = new Set<string>();

  constructor(options: NarratorOptions) {
    this.#options = options;
    this.#modes = new Set(options.modes);
    this.#midway = new Set([...options.continued].flatMap((ns) => (ns === '' ? [] : [parentOf(ns)])));
  }

  /** A superstep of the namespace is committed: what its tasks say from now on is new. */
  committed(ns: string): void {
    this.#midway.delete(ns);
  }

  /** Tells a chunk; true when it is one of the graph's own progress. */
  chunk(chunk: Chunk): boolean {
    this.#tell(chunk);
    return !WORK_MODES.has(chunk[1]);
  }

  #tell([path, mode, payload]: Chunk): void {
    const ns = (path ?? []).join('|');
    if (this.#options.v3 && mode === 'debug') {
      const { type, payload: inner } = payload as { type: string; payload: unknown };
      if (type === 'checkpoint') this.#options.progress.observe(ns, 'checkpoints', inner);
      return;
    }
    this.#options.progress.observe(ns, mode, payload);
    const repeated = this.#isRepeated(ns, mode, payload);
    if (mode === 'tasks' && isStart(payload)) this.#opened.add(ns);
    if (ns !== '' && !this.#options.subgraphs) return;
    const name = mode === 'messages' ? 'messages-tuple' : mode;
    const event = ns === '' ? mode : `${mode}|${ns}`;
    if (mode === 'messages' && this.#isToldAgain(payload)) return;
    if (!repeated && this.#modes.has(name)) this.#append(ns, event, this.#payload(mode, payload));
    if (this.#modes.has('messages') && mode === 'values') this.#completeMessages(ns, payload, repeated);
  }

  /** Tells an event of `graph.streamEvents`, which also carries the chunks; true when it carried one of the graph's own progress. */
  event(event: { event: string; run_id: string; data: Json; tags?: string[]; metadata?: Json }): boolean {
    const isRoot = event.run_id === this.#options.runId;
    if (event.event === 'on_chain_stream' && isRoot) return this.chunk(event.data.chunk as Chunk);
    if (!event.tags?.includes('langsmith:hidden')) this.#tellEvent(event, isRoot);
    return false;
  }

  #tellEvent(event: Parameters<Narrator['event']>[0], isRoot: boolean): void {
    const ns = (event.metadata?.langgraph_checkpoint_ns as string | undefined) ?? '';
    if (this.#modes.has('events') && !this.#isRepeatedStart(event.event, isRoot ? '' : ns, isRoot))
      this.#append(ns, 'events', event);
    if (this.#modes.has('messages') && event.event === 'on_chat_model_stream' && !event.tags?.includes('nostream')) {
      this.#partialMessage(ns, event.data.chunk as StreamedMessage, event.metadata);
    }
  }

  /** A message that was told before; in version 3 from its start to its end. */
  #isToldAgain(payload: unknown): boolean {
    const [said, metadata] = payload as [StreamedMessage & { event?: string }, { run_id?: string }?];
    if (!this.#options.v3 || said.event === undefined) return this.#options.told?.has(said.id ?? '') ?? false;
    const key = metadata?.run_id ?? '';
    if (said.event === 'message-start') {
      if (this.#options.told?.has(said.id ?? '')) this.#skipped.add(key);
      else this.#skipped.delete(key);
    }
    return this.#skipped.has(key);
  }

  #append(ns: string, event: string, data: unknown): void {
    this.#options.append({ ns, event, ...toReferringText(data, this.#options.storedValue) });
  }

  #payload(mode: string, payload: unknown): unknown {
    if (mode === 'tasks') return taskPayload(payload as Json);
    if (mode === 'checkpoints') return this.#options.v3 ? payload : checkpointPayload(payload as Json);
    if (mode === 'messages' && this.#options.v3) return messageEvent(payload);
    if (mode === 'debug') return debugPayload(payload as Json, this.#options.recursionLimit);
    if (mode === 'updates' && this.#options.retelling) return withoutCacheMark(payload);
    return payload;
  }

  /** Until a continued namespace starts a task, LangGraph tells of the checkpoint it stands on, which has been told. */
  #isRepeated(ns: string, mode: string, payload: unknown): boolean {
    const told = mode === 'debug' ? (payload as { type: string }).type : mode;
    if (WORK_MODES.has(told)) return false;
    const start = told === 'task' || (told === 'tasks' && isStart(payload));
    if (start) return this.#midway.has(ns);
    return this.#options.continued.has(ns) && !this.#opened.has(ns) && !this.#isInjected(ns);
  }

  #isInjected(ns: string): boolean {
    return ns === '' && (this.#options.injected?.size ?? 0) > 0;
  }

  #isRepeatedStart(name: string, ns: string, isRoot: boolean): boolean {
    if (name !== 'on_chain_start' || !this.#options.continued.has(ns)) return false;
    return isRoot || !this.#opened.has(ns);
  }

  #partialMessage(ns: string, chunk: StreamedMessage, metadata: unknown): void {
    if (chunk.id === undefined) return;
    const sofar = this.#partial.get(chunk.id);
    if (sofar === undefined) this.#append(ns, 'messages/metadata', { [chunk.id]: { metadata } });
    const message = sofar?.concat?.(chunk) ?? chunk;
    this.#partial.set(chunk.id, message);
    this.#append(ns, 'messages/partial', [message]);
  }

  #completeMessages(ns: string, values: unknown, repeated: boolean): void {
    const messages = (values as { messages?: unknown } | null)?.messages;
    const all = (Array.isArray(messages) ? messages : messages ? [messages] : []) as StreamedMessage[];
    const fresh = all.filter((message) => message.id !== undefined && !this.#complete.has(message.id));
    for (const message of fresh) this.#complete.add(message.id ?? '');
    const onlyInjected = this.#isInjected(ns) && !this.#opened.has(ns);
    const news = onlyInjected ? fresh.filter(({ id }) => this.#options.injected?.has(id ?? '')) : fresh;
    if (!repeated && news.length > 0) this.#append(ns, 'messages/complete', news);
  }
}

function parentOf(ns: string): string {
  return ns.includes('|') ? ns.slice(0, ns.lastIndexOf('|')) : '';
}

function isStart(payload: unknown): boolean {
  return !('result' in (payload as Json)) && !('error' in (payload as Json));
}

function debugPayload(debug: Json, recursionLimit: number): Json {
  const payload = debug.payload as Json;
  if (debug.type === 'checkpoint') return { ...debug, payload: debugCheckpointPayload(payload, recursionLimit) };
  return { ...debug, payload: taskPayload(payload) };
}

/** An event of a message, with the run of the model it belongs to. Graphs of older LangGraph give pairs of message and metadata. */
function messageEvent(payload: unknown): unknown {
  const [said, metadata] = payload as [Json, { run_id?: string }?];
  if (typeof said.event !== 'string') return payload;
  return metadata?.run_id === undefined ? said : { ...said, run_id: metadata.run_id };
}

function withoutCacheMark(update: unknown): unknown {
  const mark = (update as { __metadata__?: { cached?: boolean } } | null)?.__metadata__;
  if (mark?.cached !== true) return update;
  const { __metadata__: _mark, ...rest } = update as Json;
  return rest;
}
