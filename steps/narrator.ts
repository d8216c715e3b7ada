import type { NewEvent } from '../streams/index.js';
import type { StepProgress } from './progress.js';
import { checkpointPayload, debugCheckpointPayload, taskPayload, toReferringText, type StoredValue } from './wire.js';

type Json = Record<string, unknown>;

export interface NarratorOptions {
  runId: string;
  modes: readonly string[];
  subgraphs: boolean;
  /**
   * Chunks have the format of LangGraph's events version 3: messages as protocol events,
   * checkpoints as envelopes.
   */
  v3?: boolean;
  /** Recursion limit of the whole run. */
  recursionLimit: number;
  progress: StepProgress;
  append: (event: NewEvent) => void;
  /**
   * Returns the key of a large value that is stored already, so that events omit the value. Returns
   * undefined if the value is not stored.
   */
  storedValue: (value: object) => StoredValue | undefined;
  /**
   * Namespaces that continue from an earlier step of the run. LangGraph repeats the last events of
   * these namespaces; the repetitions are dropped.
   */
  continued: ReadonlySet<string>;
  /**
   * Ids of injected messages that this step added to the state. If there are any, LangGraph's
   * events about the root's state are new, not repetitions.
   */
  injected?: ReadonlySet<string>;
  /**
   * Ids of messages that are in the log already. Needed because a finished subgraph repeats its
   * messages as the output of its node.
   */
  writtenMessageIds?: ReadonlySet<string>;
  /**
   * Whether the events of finished tasks are written again, because the first ones were superseded.
   * LangGraph marks the tasks' updates as cached; the repeated events omit this mark.
   */
  isRewriting: boolean;
}

/** Namespace, mode and payload, as `graph.stream` yields them with several modes and subgraphs. */
export type Chunk = [path: string[] | null, mode: string, payload: unknown];

/**
 * Stream modes about the work of nodes and models. All other modes are about the graph's progress.
 */
const WORK_MODES: ReadonlySet<string> = new Set(['messages', 'custom', 'tools']);

/**
 * Stream modes that version 3 records. LangGraph's mode `messages` is named `messages-tuple` here.
 */
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

/**
 * Converts a graph's stream to events of the run. Writes each event once, as if the run had never
 * been interrupted.
 */
export class Narrator {
  readonly #options: NarratorOptions;
  readonly #modes: ReadonlySet<string>;
  /**
   * Namespaces that have started a task. After that, LangGraph repeats no event of the namespace.
   */
  readonly #opened = new Set<string>();
  /** Namespaces whose current superstep was begun by an earlier step. */
  readonly #midway: Set<string>;
  readonly #partial = new Map<string, StreamedMessage>();
  readonly #complete = new Set<string>();
  /** Ids of model runs whose message is in the log already. Their events are left out. */
  readonly #skipped = new Set<string>();

  constructor(options: NarratorOptions) {
    this.#options = options;
    this.#modes = new Set(options.modes);
    this.#midway = new Set([...options.continued].flatMap((ns) => (ns === '' ? [] : [parentOf(ns)])));
  }

  /**
   * Marks the current superstep of the namespace as committed. Tasks that start in the namespace
   * later are new, not repetitions.
   */
  committed(ns: string): void {
    this.#midway.delete(ns);
  }

  /** Writes the event for a chunk. Returns true if the chunk is about the graph's own progress. */
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
    if (mode === 'messages' && this.#isRepeatedMessage(payload)) return;
    if (!repeated && this.#modes.has(name)) this.#append(ns, event, this.#payload(mode, payload));
    if (this.#modes.has('messages') && mode === 'values') this.#completeMessages(ns, payload, repeated);
  }

  /**
   * Translates one event of LangGraph's `graph.streamEvents` into events of the run. If it carries
   * a chunk of the root graph's stream, returns what {@link chunk} returns for it, else false.
   */
  event(event: { event: string; run_id: string; data: Json; tags?: string[]; metadata?: Json }): boolean {
    const isRoot = event.run_id === this.#options.runId;
    if (event.event === 'on_chain_stream' && isRoot) return this.chunk(event.data.chunk as Chunk);
    if (!event.tags?.includes('langsmith:hidden')) this.#writeEvent(event, isRoot);
    return false;
  }

  #writeEvent(event: Parameters<Narrator['event']>[0], isRoot: boolean): void {
    const ns = (event.metadata?.langgraph_checkpoint_ns as string | undefined) ?? '';
    if (this.#modes.has('events') && !this.#isRepeatedStart(event.event, isRoot ? '' : ns, isRoot))
      this.#append(ns, 'events', event);
    if (this.#modes.has('messages') && event.event === 'on_chat_model_stream' && !event.tags?.includes('nostream')) {
      this.#partialMessage(ns, event.data.chunk as StreamedMessage, event.metadata);
    }
  }

  /**
   * Returns whether the message is in the log already. Version 3 sends several events for one
   * message.
   */
  #isRepeatedMessage(payload: unknown): boolean {
    const [message, metadata] = payload as [StreamedMessage & { event?: string }, { run_id?: string }?];
    if (!this.#options.v3 || message.event === undefined)
      return this.#options.writtenMessageIds?.has(message.id ?? '') ?? false;
    const key = metadata?.run_id ?? '';
    if (message.event === 'message-start') {
      if (this.#options.writtenMessageIds?.has(message.id ?? '')) this.#skipped.add(key);
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
    if (mode === 'updates' && this.#options.isRewriting) return withoutCacheMark(payload);
    return payload;
  }

  /**
   * Returns whether LangGraph only repeats an earlier event. Until a continued namespace starts a
   * task, LangGraph repeats the checkpoint from which the namespace continues.
   */
  #isRepeated(ns: string, mode: string, payload: unknown): boolean {
    const payloadType = mode === 'debug' ? (payload as { type: string }).type : mode;
    if (WORK_MODES.has(payloadType)) return false;
    const start = payloadType === 'task' || (payloadType === 'tasks' && isStart(payload));
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

/**
 * Adds the id of the model's run to a message event. Older versions of LangGraph yield pairs of
 * message and metadata instead of events; a pair is returned unchanged.
 */
function messageEvent(payload: unknown): unknown {
  const [message, metadata] = payload as [Json, { run_id?: string }?];
  if (typeof message.event !== 'string') return payload;
  return metadata?.run_id === undefined ? message : { ...message, run_id: metadata.run_id };
}

function withoutCacheMark(update: unknown): unknown {
  const mark = (update as { __metadata__?: { cached?: boolean } } | null)?.__metadata__;
  if (mark?.cached !== true) return update;
  const { __metadata__: _mark, ...rest } = update as Json;
  return rest;
}
