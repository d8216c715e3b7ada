import type { StreamMode } from '../../protocol/index.js';
import { toWireText } from '../../steps/wire.js';

export interface Turn {
  input?: unknown;
  command?: { resume: unknown };
}

/** The inputs of a conversation with one graph of a project. A turn is a run. */
export interface Talk {
  graph: string;
  turns: Turn[];
  subgraphs: boolean;
  /** The stream modes of the runs. Default: {@link MODES}. */
  modes?: readonly StreamMode[];
  configurable?: Record<string, unknown>;
  /**
   * Keys that a message may lose when LangGraph's `MemorySaver` returns it. These keys are removed
   * at any depth before a comparison.
   */
  lost?: string[];
}

/**
 * The events of each run and the final state. The tests compare the transcript of a conversation on
 * Colloquy with that of the same conversation on LangGraph alone.
 */
export interface Transcript {
  turns: { events: string[]; error?: string }[];
  state: { values: unknown; next: string[] };
  /** The callbacks that a recorder in the graph got, see `trace.ts`. Empty without a recorder. */
  calls: string[];
}

export const MODES = ['values', 'updates', 'messages-tuple'] as const;

/**
 * Keys that a server adds to the metadata of a message. If a graph runs without a server, the
 * metadata do not have these keys, or have other values.
 */
const PLATFORM_METADATA =
  /^(thread_id|run_id|run_attempt|assistant_id|graph_id|created_by|user_id|__.*|langgraph_(auth|request|version|api|host|plan).*)$/;

/**
 * Keys that a server puts into the `configurable` of a run beside those of the client. Most of them
 * are headers of the request.
 */
const PLATFORM_CONFIGURABLE =
  /^(thread_id|run_id|assistant_id|graph_id|checkpoint_id|user-agent|x-.*|langgraph_.*|__.*)$/;

/**
 * Makes values of two executions comparable. Each id is replaced by a number in order of first
 * appearance, so equal ids stay equal. Times are replaced by a placeholder.
 */
export class Normalizer {
  readonly #ids = new Map<string, string>();
  readonly #lost: ReadonlySet<string>;

  constructor({ lost = [] }: Pick<Talk, 'lost'>) {
    this.#lost = new Set([...lost, 'recursion_limit']);
  }

  event(name: string, data: unknown): string {
    const [message, metadata] = Array.isArray(data) ? (data as [unknown, Record<string, unknown>]) : [];
    const isMessage = /^messages(\||$)/.test(name);
    const shown = isMessage ? [message, ownMetadata(metadata ?? {})] : data;
    return this.text(`${name} ${JSON.stringify(this.#sorted(plain(shown)))}`);
  }

  value(value: unknown): unknown {
    return JSON.parse(this.text(JSON.stringify(this.#sorted(plain(value)))));
  }

  text(text: string): string {
    return text
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => this.#ordinal(id))
      .replace(/(chatcmpl-|call_)[0-9a-f]{16}|session_[0-9a-f]{8}/g, (id) => this.#ordinal(id))
      .replace(/"[0-9a-f]{32}"/g, (id) => `"${this.#ordinal(id)}"`)
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>');
  }

  /**
   * Sorts the keys of all objects, because a stored value may come back with its keys in another
   * order. Removes the keys in `lost`, what a server adds to `metadata` and `configurable`, and the
   * recursion limit in `debug` events: LangGraph alone reports the default of an inner layer.
   */
  #sorted(value: unknown, of?: string): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#sorted(one));
    if (typeof value !== 'object' || value === null) return value;
    const added = of === 'metadata' ? PLATFORM_METADATA : of === 'configurable' ? PLATFORM_CONFIGURABLE : undefined;
    const kept = Object.entries(value).filter(([key]) => !this.#lost.has(key) && !added?.test(key));
    return Object.fromEntries(
      kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, this.#sorted(inner, key)]),
    );
  }

  #ordinal(id: string): string {
    const known = this.#ids.get(id) ?? `<${this.#ids.size}>`;
    this.#ids.set(id, known);
    return known;
  }
}

function ownMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !PLATFORM_METADATA.test(key)));
}

function plain(value: unknown): unknown {
  return JSON.parse(toWireText(value)) as unknown;
}

/**
 * Returns a transcript in a form that does not depend on how the events of parallel subgraphs
 * interleave. `inside` has one list of events for each subgraph, in their original order. `root`
 * has the events of the root graph, sorted as text. `values` has only the `values` events of the
 * root graph, in their original order. All ids become `<id>`, because the {@link Normalizer}
 * numbers them in the order of the events.
 */
export function byPlace({ turns, state, calls }: Transcript): unknown {
  const nameless = (text: string) => text.replace(/<\d+>/g, '<id>');
  return {
    calls: calls.toSorted(),
    state: JSON.parse(nameless(JSON.stringify(state))) as unknown,
    turns: turns.map(({ events, error }) => {
      const places: Record<string, string[]> = {};
      for (const event of events) (places[/^\w+(\|\S+)?/.exec(event)?.[1] ?? ''] ??= []).push(nameless(event));
      const { '': root = [], ...inside } = places;
      return {
        error,
        values: root.filter((event) => event.startsWith('values')),
        root: root.toSorted(),
        inside: Object.values(inside).toSorted((a, b) => (a.join() < b.join() ? -1 : 1)),
      };
    }),
  };
}

interface Message {
  type: string;
  content: string | { text: string }[];
  tool_calls?: { name: string }[];
}

/** Returns what agents and tools say in the final state, one line a message. */
export function wordsOf({ state }: Transcript): string[] {
  const { messages = [] } = state.values as { messages?: Message[] };
  const text = ({ content }: Message) => (typeof content === 'string' ? content : content[0]?.text);
  const calls = ({ tool_calls: all }: Message) => all?.map((one) => one.name).join(', ');
  return messages.filter(({ type }) => type !== 'human').map((one) => `${one.type}: ${calls(one) || text(one)}`);
}
