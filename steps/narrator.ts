import type { NewEvent } from '../streams/index.js';
import type { StepProgress } from './progress.js';
import { checkpointPayload, debugCheckpointPayload, taskPayload, toReferringText, type StoredValue } from './wire.js';

type Json = Record<string, unknown>;

export interface NarratorOptions {
  runId: string;
  modes: readonly string[];
  subgraphs: boolean;
  /**
   * Whether LangGraph streams with `version: 'v3'`. Then a chunk of mode `messages` is a protocol
   * event such as `message-start`, and a chunk of mode `checkpoints` is an envelope: only the
   * checkpoint's id, parent id, step and source.
   */
  v3?: boolean;
  /** Recursion limit of the whole run. */
  recursionLimit: number;
  progress: StepProgress;
  append: (event: NewEvent) => void;
  /**
   * Returns the key of the document that stores `value`, which is a large value of the state. The
   * event then contains a reference instead of the value. Returns undefined if no document stores
   * the value.
   */
  storedValue: (value: object) => StoredValue | undefined;
  /**
   * Checkpoint namespaces in which this run already has a checkpoint, from which it continues now.
   * LangGraph streams the events about that checkpoint again, and the narrator drops these
   * repetitions.
   */
  continued: ReadonlySet<string>;
  /**
   * Ids of the injected chat messages that this step adds to the state of the root graph. If there
   * are any, LangGraph's first events report the changed state and repeat no earlier events. So the
   * narrator writes these events, although the root namespace is in `continued`.
   */
  injected?: ReadonlySet<string>;
  /**
   * Ids of chat messages that earlier attempts wrote to the event log. When a subgraph is finished,
   * LangGraph streams its messages again, as output of the subgraph's node. The narrator drops the
   * events of the messages that are in the log already.
   */
  writtenMessageIds?: ReadonlySet<string>;
  /**
   * True while this attempt repeats the superstep in which an earlier attempt of the step failed.
   * The earlier events of the superstep are superseded, so the narrator writes the events again,
   * even those of finished tasks. LangGraph marks the updates of these tasks as cached, and the new
   * events omit this mark.
   */
  isRewriting: boolean;
}

/**
 * One item of `graph.stream`, called with several stream modes and with `subgraphs: true`. `path`
 * is the checkpoint namespace as a list.
 */
export type Chunk = [path: string[] | null, mode: string, payload: unknown];

/**
 * LangGraph's stream modes for the output of nodes, models and tools while they run. All other
 * modes are about the graph's progress: tasks, checkpoints and state.
 */
const WORK_MODES: ReadonlySet<string> = new Set(['messages', 'custom', 'tools']);

/**
 * Stream modes that are recorded for a run with `streamVersion: 'v3'`, named as in the API. The
 * API's `messages-tuple` is LangGraph's `messages`.
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
 * Converts what LangGraph streams to events of the run. A run has several steps, and LangGraph
 * repeats some events at the start of a step. The narrator drops the repetitions, so that clients
 * see each event once.
 */
export class Narrator {
  readonly #options: NarratorOptions;
  readonly #modes: ReadonlySet<string>;
  /**
   * Namespaces in which a task has started since this narrator was created. From then on, LangGraph
   * repeats no event of the namespace, except for start events of tasks; see `#midway`.
   */
  readonly #opened = new Set<string>();
  /**
   * Namespaces whose current superstep began before this step of the run. LangGraph repeats the
   * start events of the superstep's tasks.
   */
  readonly #midway: Set<string>;
  readonly #partial = new Map<string, StreamedMessage>();
  readonly #complete = new Set<string>();
  /**
   * LangChain run ids of model calls whose message is in the event log already. The narrator drops
   * the events of these calls.
   */
  readonly #skipped = new Set<string>();

  constructor(options: NarratorOptions) {
    this.#options = options;
    this.#modes = new Set(options.modes);
    this.#midway = new Set([...options.continued].flatMap((ns) => (ns === '' ? [] : [parentOf(ns)])));
  }

  /**
   * Must be called when the current superstep of the namespace is committed. Later start events of
   * tasks in this namespace repeat no earlier events, so the narrator writes them.
   */
  committed(ns: string): void {
    this.#midway.delete(ns);
  }

  /**
   * Writes the event for a chunk, except if the chunk only repeats an earlier event. Returns true
   * if the chunk is about the graph's progress, and false if its mode is in {@link WORK_MODES}.
   */
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
   * Converts one event of LangGraph's `graph.streamEvents` to events of the run, and writes these.
   * If LangGraph's event contains a chunk of the root graph's stream, returns the result of
   * {@link chunk} for that chunk. Otherwise returns false.
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
   * Returns whether the chat message of this payload is in the event log already. If LangGraph
   * streams with `version: 'v3'`, one message becomes several events. Only the first one,
   * `message-start`, is looked up. The later events of the same message get the same result.
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
   * Returns whether the payload only repeats an event of an earlier step. A chunk of a mode in
   * {@link WORK_MODES} is never a repetition. The start event of a task is a repetition if its
   * namespace is in `#midway`. In the namespaces of `continued`, LangGraph streams what is known
   * about the last checkpoint before it starts the first task. These events are repetitions too,
   * except those of the root namespace in a step that injects messages.
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
 * Returns a protocol event about a message, with the id of the model's run added. Older versions of
 * LangGraph stream a pair of message and metadata instead. Such a pair is returned unchanged.
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
