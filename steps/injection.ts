import { Command } from '@langchain/langgraph';
import type { LoadedGraph } from '../agents/index.js';
import type { Head } from '../protocol/index.js';
import type { Injection } from '../threads/index.js';

const CHANNEL = 'messages';
/**
 * Types of channels that add a message to the list. A channel of any other type would replace all
 * messages with the new one.
 */
const ADDING: ReadonlySet<unknown> = new Set(['BinaryOperatorAggregate', 'DeltaChannel']);

interface StateMessage {
  id?: string;
  tool_calls?: { id?: string }[];
  tool_call_id?: string;
}

/** Returns whether a message can be added to the graph's state. */
export function takesMessages(graph: LoadedGraph): boolean {
  const channel = (graph.channels as Record<string, unknown>)[CHANNEL];
  return ADDING.has((channel as { lc_graph_name?: unknown } | undefined)?.lc_graph_name);
}

/** Converts the messages, in order, to an update of LangGraph's state. */
export function updateOf(injections: Injection[]): Command {
  return new Command({ update: { [CHANNEL]: injections.flatMap(messagesOf) } });
}

/** Returns the ids of the messages. The client or the API has set them. */
export function messageIds(injections: Injection[]): string[] {
  return injections.flatMap(messagesOf).flatMap(({ id }) => (id === undefined ? [] : [id]));
}

/**
 * Returns whether a thread is between two supersteps of the run's root graph. While a subgraph is
 * between supersteps of its own, the thread is not: a new checkpoint of the root would restart the
 * subgraph. A namespace without a task id stays in the head after its superstep. Its superstep is
 * over if the root wrote the last event.
 */
export function isBetweenSupersteps({ heads }: Head, ordinal: number): boolean {
  const root = heads[''];
  if (root?.run !== ordinal) return false;
  return Object.entries(heads).every(
    ([ns, head]) => ns === '' || (!ns.includes(':') && (head.run !== ordinal || head.tail < root.tail)),
  );
}

/**
 * Returns whether results of tool calls are missing. Models refuse a conversation in which anything
 * but the results follows tool calls.
 */
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
