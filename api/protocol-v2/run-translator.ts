import { CONTROL_EVENTS, type EndedData, type RunError, type StoredEvent } from '../../protocol/index.js';
import { isRecord, splitEventName, type AgentStatus, type Draft } from './events.js';
import { MessageChunks } from './message-chunks.js';
import { Namespaces, type TreeNode } from './namespaces.js';
import { statePayload } from './state-payload.js';
import { toolEvent } from './tool-event.js';

/** What the log does not say of a run. */
export interface RunFacts {
  graphName: string;
  /** Interrupts that the run answers by id. */
  answers: string[];
}

const STATUS_OF = { success: 'completed', error: 'failed', timeout: 'failed', interrupted: 'interrupted' } as const;

/**
 * Turns the logged events of one run into events of protocol v2, as LangGraph's own server derives them from `streamEvents` version 3. Pure:
 * the same logged events, from the run's first one on, give the same events, on any process.
 */
export class RunTranslator {
  readonly #facts: RunFacts;
  readonly #namespaces = new Namespaces();
  readonly #chunks = new MessageChunks();
  readonly #asked = new Map<string, string[]>();
  /** Messages that were begun and have not ended: namespace and run of the model. */
  readonly #open = new Map<string, { namespace: string[]; runId: unknown }>();
  #status: AgentStatus | undefined;

  constructor(facts: RunFacts) {
    this.#facts = facts;
  }

  /**
   * What the next logged event becomes. A run that ends without having begun (it was cancelled while it waited) is told of only where it is
   * `alone`: beside another, its end would be taken for the end of that.
   */
  translate(stored: StoredEvent, { alone = true } = {}): Draft[] {
    if (stored.event === CONTROL_EVENTS.ended && this.#status === undefined && !alone) return [];
    const drafts = this.#status === undefined ? this.#begin() : [];
    if (stored.event === CONTROL_EVENTS.ended) drafts.push(...this.#end(JSON.parse(stored.data) as EndedData));
    else if (stored.event === 'error') drafts.push(...this.#fail(JSON.parse(stored.data) as RunError));
    else if (stored.event !== CONTROL_EVENTS.attempt) drafts.push(...this.#tell(stored));
    return drafts;
  }

  /** Has begun and not ended. */
  get isOpen(): boolean {
    return this.#status === 'running';
  }

  get tree(): TreeNode {
    return this.#namespaces.tree([], this.#status ?? 'running', this.#facts.graphName);
  }

  /** A new attempt runs: the root runs again, and messages that only the reading `before` it had begun are void. */
  restarted(data: { attempt: number; superseded: [number, number][] }, before: RunTranslator): Draft[] {
    const lost = [...before.#open].filter(([key]) => !this.#open.has(key));
    const voided = lost.map(([, { namespace, runId }]): Draft => {
      const message = `superseded by attempt ${data.attempt} of the step`;
      return {
        method: 'messages',
        namespace,
        data: { event: 'error', message, code: 'superseded', ...(runId !== undefined && { run_id: runId }) },
      };
    });
    this.#status = 'running';
    return [this.#root('running', data), ...voided];
  }

  #begin(): Draft[] {
    this.#status = 'running';
    const { answers } = this.#facts;
    const answered: Draft = { method: 'input.answered', namespace: [], data: { interrupt_ids: answers } };
    return [this.#root('running'), ...(answers.length > 0 ? [answered] : [])];
  }

  #root(event: AgentStatus, more: object = {}): Draft {
    return { method: 'lifecycle', namespace: [], data: { event, graph_name: this.#facts.graphName, ...more } };
  }

  #fail({ message }: RunError): Draft[] {
    this.#status = 'failed';
    return [...this.#namespaces.end('failed'), this.#root('failed', { error: message })];
  }

  #end({ status, error }: EndedData): Draft[] {
    if (!this.isOpen) return [];
    this.#status = STATUS_OF[status];
    const below = this.#status === 'interrupted' && this.#asked.size > 0 ? 'completed' : this.#status;
    const drafts = this.#namespaces.end(below, [...this.#asked.values()]);
    return [...drafts, this.#root(this.#status, error && { error: error.message })];
  }

  #tell(stored: StoredEvent): Draft[] {
    const { mode, namespace } = splitEventName(stored.event);
    const data = JSON.parse(stored.data) as unknown;
    if (mode === 'messages' && Array.isArray(data)) return this.#tellChunk(namespace, data);
    const told = this.#convert(mode, namespace, data);
    // Nothing is told of modes that have no channel.
    if (told === undefined) return [];
    const before = this.#namespaces.before(mode, namespace, data);
    for (const { method, node } of told) if (method === 'updates' && node) this.#namespaces.updated(namespace, node);
    return [...before, ...this.#endChunks(mode, namespace, data), ...told];
  }

  #convert(mode: string, namespace: string[], data: unknown): Draft[] | undefined {
    if (mode === 'values') return this.#values(namespace, data);
    if (mode === 'updates') return this.#updates(namespace, data);
    if (mode === 'custom') {
      const named = isRecord(data) && !Array.isArray(data) && 'name' in data;
      return [{ method: 'custom', namespace, data: named ? data : { payload: data } }];
    }
    if (mode === 'tools') return [{ method: 'tools', namespace, data: toolEvent(data) }];
    if (mode === 'tasks') return [{ method: 'tasks', namespace, data }];
    // Runs that were not started by protocol v2 may have whole checkpoints recorded; they have no id.
    if (mode === 'checkpoints') return isEnvelope(data) ? [{ method: 'checkpoints', namespace, data }] : undefined;
    if (mode === 'messages') return this.#message(namespace, data);
    return undefined;
  }

  #message(namespace: string[], data: unknown): Draft[] {
    if (isRecord(data)) {
      const key = `${namespace.join('|')} ${String(data['run_id'])}`;
      if (data['event'] === 'message-start') this.#open.set(key, { namespace, runId: data['run_id'] });
      if (data['event'] === 'message-finish' || data['event'] === 'error') this.#open.delete(key);
    }
    return [{ method: 'messages', namespace, data }];
  }

  #values(namespace: string[], data: unknown): Draft[] {
    if (!isRecord(data)) return [{ method: 'values', namespace, data }];
    const { __interrupt__: asked, ...values } = data;
    const state: Draft = { method: 'values', namespace, data: statePayload(values) };
    const isEmpty = !Array.isArray(data) && Object.keys(values).length === 0;
    return [...this.#ask(namespace, asked), ...(isEmpty ? [] : [Array.isArray(data) ? { ...state, data } : state])];
  }

  #updates(namespace: string[], data: unknown): Draft[] {
    const [first] = isRecord(data) ? Object.entries(data) : [];
    if (first === undefined) return [{ method: 'updates', namespace, data: {} }];
    const [node, values] = first;
    if (node === '__interrupt__') return this.#ask(namespace, values);
    return [{ method: 'updates', namespace, node, data: statePayload(isRecord(values) ? values : { value: values }) }];
  }

  #ask(namespace: string[], interrupts: unknown): Draft[] {
    const all = Array.isArray(interrupts) ? (interrupts as unknown[]) : [];
    return all.flatMap((one) => {
      if (!isRecord(one) || typeof one['id'] !== 'string' || this.#asked.has(one['id'])) return [];
      this.#asked.set(one['id'], namespace);
      return [{ method: 'input.requested', namespace, data: { interrupt_id: one['id'], payload: one['value'] } }];
    });
  }

  #tellChunk(namespace: string[], pair: unknown[]): Draft[] {
    const { namespace: place, drafts } = this.#chunks.add(namespace, pair);
    const before = drafts.length > 0 ? this.#namespaces.before('messages', place, undefined) : [];
    return [...before, ...drafts.flatMap((draft) => this.#message(draft.namespace, draft.data))];
  }

  /** Messages recorded as chunks end with their task: chunks do not say which is the last. */
  #endChunks(mode: string, namespace: string[], data: unknown): Draft[] {
    return this.#chunks.endBefore(mode, namespace, data).flatMap((draft) => this.#message(draft.namespace, draft.data));
  }
}

function isEnvelope(data: unknown): boolean {
  return isRecord(data) && typeof data['id'] === 'string' && !('values' in data);
}
