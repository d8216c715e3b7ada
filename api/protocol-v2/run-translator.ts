import { CONTROL_EVENTS, type EndedData, type RunError, type StoredEvent } from '../../protocol/index.js';
import { isRecord, splitEventName, type AgentStatus, type DraftEvent } from './events.js';
import { MessageChunks } from './message-chunks.js';
import { Namespaces, type NamespaceNode } from './namespaces.js';
import { statePayload } from './state-payload.js';
import { toolEvent } from './tool-event.js';

/** Facts about a run that the event log does not contain. */
export interface RunFacts {
  graphName: string;
  /** Ids of the interrupts that the run answers. Empty if the run's request does not name them. */
  answers: string[];
}

const STATUS_OF = { success: 'completed', error: 'failed', timeout: 'failed', interrupted: 'interrupted' } as const;

/**
 * Translates the logged events of one run to events of protocol v2. The translated events are those
 * that LangGraph's own server derives from `streamEvents` version 3. The result depends only on the
 * run's facts and its logged events. So every process that starts at the run's first event gets the
 * same result.
 */
export class RunTranslator {
  readonly #facts: RunFacts;
  readonly #namespaces = new Namespaces();
  readonly #chunks = new MessageChunks();
  readonly #openInterrupts = new Map<string, string[]>();
  /**
   * Messages that have begun and not ended, each with its namespace and with LangChain's run id of
   * the model call.
   */
  readonly #open = new Map<string, { namespace: string[]; runId: unknown }>();
  #status: AgentStatus | undefined;

  constructor(facts: RunFacts) {
    this.#facts = facts;
  }

  /**
   * Translates the next logged event of the run. `alone` is false while another run of the thread
   * is open (has begun and not ended). The log of a run that was cancelled while it waited in the
   * queue contains only its end. While another run is open, this end is left out, because clients
   * would take it for the end of the open run.
   */
  translate(stored: StoredEvent, { alone = true } = {}): DraftEvent[] {
    if (stored.event === CONTROL_EVENTS.ended && this.#status === undefined && !alone) return [];
    const drafts = this.#status === undefined ? this.#begin() : [];
    if (stored.event === CONTROL_EVENTS.ended) drafts.push(...this.#end(JSON.parse(stored.data) as EndedData));
    else if (stored.event === 'error') drafts.push(...this.#fail(JSON.parse(stored.data) as RunError));
    else if (stored.event !== CONTROL_EVENTS.attempt) drafts.push(...this.#translateEvent(stored));
    return drafts;
  }

  /** True if the run has begun and has not ended. */
  get isOpen(): boolean {
    return this.#status === 'running';
  }

  get tree(): NamespaceNode {
    return this.#namespaces.tree([], this.#status ?? 'running', this.#facts.graphName);
  }

  /**
   * Returns the events that announce a new attempt of a step, after an earlier attempt died. The
   * events of the earlier attempt are superseded. `before` is a second translator for this run. It
   * has translated the superseded events, and this translator has not. The first returned event
   * sets the root namespace to `running` again. If a superseded event began a message and no event
   * ended it, a further returned event ends this message with an error.
   */
  restarted(data: { attempt: number; superseded: [number, number][] }, before: RunTranslator): DraftEvent[] {
    const lost = [...before.#open].filter(([key]) => !this.#open.has(key));
    const voided = lost.map(([, { namespace, runId }]): DraftEvent => {
      const message = `superseded by attempt ${data.attempt} of the step`;
      return {
        method: 'messages',
        namespace,
        data: { event: 'error', message, code: 'superseded', ...(runId !== undefined && { run_id: runId }) },
      };
    });
    this.#status = 'running';
    return [this.#rootLifecycle('running', data), ...voided];
  }

  #begin(): DraftEvent[] {
    this.#status = 'running';
    const { answers } = this.#facts;
    const answered: DraftEvent = { method: 'input.answered', namespace: [], data: { interrupt_ids: answers } };
    return [this.#rootLifecycle('running'), ...(answers.length > 0 ? [answered] : [])];
  }

  #rootLifecycle(event: AgentStatus, more: object = {}): DraftEvent {
    return { method: 'lifecycle', namespace: [], data: { event, graph_name: this.#facts.graphName, ...more } };
  }

  #fail({ message }: RunError): DraftEvent[] {
    this.#status = 'failed';
    return [...this.#namespaces.end('failed'), this.#rootLifecycle('failed', { error: message })];
  }

  #end({ status, error }: EndedData): DraftEvent[] {
    if (!this.isOpen) return [];
    this.#status = STATUS_OF[status];
    const below = this.#status === 'interrupted' && this.#openInterrupts.size > 0 ? 'completed' : this.#status;
    const drafts = this.#namespaces.end(below, [...this.#openInterrupts.values()]);
    return [...drafts, this.#rootLifecycle(this.#status, error && { error: error.message })];
  }

  #translateEvent(stored: StoredEvent): DraftEvent[] {
    const { mode, namespace } = splitEventName(stored.event);
    const data = JSON.parse(stored.data) as unknown;
    if (mode === 'messages' && Array.isArray(data)) return this.#translateChunk(namespace, data);
    const drafts = this.#convert(mode, namespace, data);
    // Protocol v2 has no event for this logged event: it has no channel for the stream mode, or the
    // logged event is a whole checkpoint.
    if (drafts === undefined) return [];
    const before = this.#namespaces.lifecycleBefore(mode, namespace, data);
    for (const { method, node } of drafts) if (method === 'updates' && node) this.#namespaces.updated(namespace, node);
    return [...before, ...this.#endChunks(mode, namespace, data), ...drafts];
  }

  #convert(mode: string, namespace: string[], data: unknown): DraftEvent[] | undefined {
    if (mode === 'values') return this.#values(namespace, data);
    if (mode === 'updates') return this.#updates(namespace, data);
    if (mode === 'custom') {
      const named = isRecord(data) && !Array.isArray(data) && 'name' in data;
      return [{ method: 'custom', namespace, data: named ? data : { payload: data } }];
    }
    if (mode === 'tools') return [{ method: 'tools', namespace, data: toolEvent(data) }];
    if (mode === 'tasks') return [{ method: 'tasks', namespace, data }];
    // Clients of protocol v2 get only a summary of a checkpoint: an object with `id` and without
    // `values`. Runs that were created through another API may log whole checkpoints. These are
    // left out.
    if (mode === 'checkpoints') return isEnvelope(data) ? [{ method: 'checkpoints', namespace, data }] : undefined;
    if (mode === 'messages') return this.#message(namespace, data);
    return undefined;
  }

  #message(namespace: string[], data: unknown): DraftEvent[] {
    if (isRecord(data)) {
      const key = `${namespace.join('|')} ${String(data['run_id'])}`;
      if (data['event'] === 'message-start') this.#open.set(key, { namespace, runId: data['run_id'] });
      if (data['event'] === 'message-finish' || data['event'] === 'error') this.#open.delete(key);
    }
    return [{ method: 'messages', namespace, data }];
  }

  #values(namespace: string[], data: unknown): DraftEvent[] {
    if (!isRecord(data)) return [{ method: 'values', namespace, data }];
    const { __interrupt__: interrupts, ...values } = data;
    const state: DraftEvent = { method: 'values', namespace, data: statePayload(values) };
    const isEmpty = !Array.isArray(data) && Object.keys(values).length === 0;
    return [
      ...this.#requestInput(namespace, interrupts),
      ...(isEmpty ? [] : [Array.isArray(data) ? { ...state, data } : state]),
    ];
  }

  #updates(namespace: string[], data: unknown): DraftEvent[] {
    const [first] = isRecord(data) ? Object.entries(data) : [];
    if (first === undefined) return [{ method: 'updates', namespace, data: {} }];
    const [node, values] = first;
    if (node === '__interrupt__') return this.#requestInput(namespace, values);
    return [{ method: 'updates', namespace, node, data: statePayload(isRecord(values) ? values : { value: values }) }];
  }

  #requestInput(namespace: string[], interrupts: unknown): DraftEvent[] {
    const all = Array.isArray(interrupts) ? (interrupts as unknown[]) : [];
    return all.flatMap((interrupt) => {
      if (!isRecord(interrupt) || typeof interrupt['id'] !== 'string') return [];
      const { id, value } = interrupt;
      if (this.#openInterrupts.has(id)) return [];
      this.#openInterrupts.set(id, namespace);
      return [{ method: 'input.requested', namespace, data: { interrupt_id: id, payload: value } }];
    });
  }

  #translateChunk(namespace: string[], pair: unknown[]): DraftEvent[] {
    const { namespace: messageNamespace, drafts } = this.#chunks.add(namespace, pair);
    const before = drafts.length > 0 ? this.#namespaces.lifecycleBefore('messages', messageNamespace, undefined) : [];
    return [...before, ...drafts.flatMap((draft) => this.#message(draft.namespace, draft.data))];
  }

  /**
   * Returns the last events of each message that is complete when the given event arrives. A logged
   * chunk does not say whether it is the last one of its message. So a message ends when an event
   * shows that the task which produces the message has ended.
   */
  #endChunks(mode: string, namespace: string[], data: unknown): DraftEvent[] {
    return this.#chunks.endBefore(mode, namespace, data).flatMap((draft) => this.#message(draft.namespace, draft.data));
  }
}

function isEnvelope(data: unknown): boolean {
  return isRecord(data) && typeof data['id'] === 'string' && !('values' in data);
}
