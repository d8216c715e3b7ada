import { toWireText } from '../../steps/wire.js';

export interface Turn {
  input?: unknown;
  command?: { resume: unknown };
}

/** A conversation with one graph of a project. */
export interface Talk {
  graph: string;
  turns: Turn[];
  subgraphs: boolean;
  configurable?: Record<string, unknown>;
  /** Keys that LangChain itself loses between turns, somewhere in the values. */
  lost?: string[];
}

/** What was told and what is left, comparable between two executions. */
export interface Transcript {
  turns: { events: string[]; error?: string }[];
  state: { values: unknown; next: string[] };
}

export const MODES = ['values', 'updates', 'messages-tuple'] as const;

/** Keys of a message's metadata that a platform puts there, and that differ between a server and a bare graph. */
const PLATFORM_METADATA =
  /^(thread_id|run_id|run_attempt|assistant_id|graph_id|created_by|user_id|__.*|langgraph_(auth|request|version|api|host|plan).*)$/;

/** Ids and times differ from run to run; what is the same id must stay the same id, so each is replaced by its ordinal. */
export class Normalizer {
  readonly #ids = new Map<string, string>();
  readonly #lost: ReadonlySet<string>;

  constructor({ lost = [] }: Pick<Talk, 'lost'>) {
    this.#lost = new Set(lost);
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
      .replace(/(chatcmpl-|call_)[0-9a-f]{16}/g, (id) => this.#ordinal(id))
      .replace(/"[0-9a-f]{32}"/g, (id) => `"${this.#ordinal(id)}"`)
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>');
  }

  /** The order of keys says nothing: a value that has been stored may come back in another. */
  #sorted(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#sorted(one));
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(([key]) => !this.#lost.has(key));
    return Object.fromEntries(
      kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, this.#sorted(inner)]),
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
 * For graphs that work side by side: those may speak in turns of any kind, so each is compared for itself, and what the graph around them says
 * of them comes in any order; its `values` keep theirs. Ids, counted in the order of their appearance, say nothing then.
 */
export function byPlace({ turns, state }: Transcript): unknown {
  const nameless = (text: string) => text.replace(/<\d+>/g, '<id>');
  return {
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
