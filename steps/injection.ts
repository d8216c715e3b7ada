import { Command } from '@langchain/langgraph';
import type { LoadedGraph } from '../agents/index.js';
import type { Head } from '../protocol/index.js';
import type { Injection } from '../threads/index.js';

const CHANNEL = 'messages';
/** Channels that add what is written; another would put the message in the place of all others. */
const ADDING: ReadonlySet<unknown> = new Set(['BinaryOperatorAggregate', 'DeltaChannel']);

interface StateMessage {
  id?: string;
  tool_calls?: { id?: string }[];
  tool_call_id?: string;
}

/** Whether a message can be added to the graph's state. */
export function takesMessages(graph: LoadedGraph): boolean {
  const channel = (graph.channels as Record<string, unknown>)[CHANNEL];
  return ADDING.has((channel as { lc_graph_name?: unknown } | undefined)?.lc_graph_name);
}

/** The messages as LangGraph takes an update of the state, in their order. */
export function updateOf(injections: Injection[]): Command {
  return new Command({ update: { [CHANNEL]: injections.flatMap(messagesOf) } });
}

/** Ids of the messages, which their clients or the API gave them. */
export function messageIds(injections: Injection[]): string[] {
  return injections.flatMap(messagesOf).flatMap(({ id }) => (id === undefined ? [] : [id]));
}

/**
 * Whether a thread stands between two supersteps of the run's root. In the middle of a subgraph it does not: a new checkpoint of the root would
 * begin that anew. A namespace without a task's id outlives its superstep; whether it is over shows in the log, which the root wrote last.
 */
export function isBetweenSupersteps({ heads }: Head, ordinal: number): boolean {
  const root = heads[''];
  if (root?.run !== ordinal) return false;
  return Object.entries(heads).every(
    ([ns, head]) => ns === '' || (!ns.includes(':') && (head.run !== ordinal || head.tail < root.tail)),
  );
}

/** Whether results of tools are due: models refuse a conversation in which anything else follows the calls. */
export function awaitsTools(values: unknown): boolean {
  const messages = (values as Record<string, unknown> | null)?.[CHANNEL];
  if (!Array.isArray(messages)) return false;
  const answered = new Set<string | undefined>();
  for (const message of (messages as StateMessage[]).toReversed()) {
    if (message.tool_call_id === undefined) return (message.tool_calls ?? []).some((call) => !answered.has(call.id));
    answered.add(message.tool_call_id);
  }
  return false;
}

function messagesOf({ input }: Injection): StateMessage[] {
  return ((input as Record<string, unknown>)[CHANNEL] ?? []) as StateMessage[];
}
