import { Command } from '@langchain/langgraph';
import type { LoadedGraph } from '../agents/index.js';
import type { Head } from '../protocol/index.js';
import type { Injection } from '../threads/index.js';

const CHANNEL = 'messages';
/**
 * Names of LangGraph's channel types that add a chat message to the list of messages. A channel of
 * any other type would replace all messages with the new one.
 */
const ADDING: ReadonlySet<unknown> = new Set(['BinaryOperatorAggregate', 'DeltaChannel']);

interface StateMessage {
  id?: string;
  tool_calls?: { id?: string }[];
  tool_call_id?: string;
}

/**
 * Returns whether a chat message can be injected into a run of the graph. The state must have a
 * channel `messages` that adds messages to its list.
 */
export function takesMessages(graph: LoadedGraph): boolean {
  const channel = (graph.channels as Record<string, unknown>)[CHANNEL];
  return ADDING.has((channel as { lc_graph_name?: unknown } | undefined)?.lc_graph_name);
}

/** Returns a command that adds the messages of the injections to the graph's state, in order. */
export function updateOf(injections: Injection[]): Command {
  return new Command({ update: { [CHANNEL]: injections.flatMap(messagesOf) } });
}

/** Returns the ids of the injected messages. The client or the API has set these ids. */
export function messageIds(injections: Injection[]): string[] {
  return injections.flatMap(messagesOf).flatMap(({ id }) => (id === undefined ? [] : [id]));
}

/**
 * Returns whether the root graph of a run is between two supersteps. It is not while a subgraph is
 * at work, even if the subgraph is between supersteps of its own: a new checkpoint of the root
 * would restart the subgraph. The head contains the namespace of a subgraph at work. A namespace
 * without a task id (`:`) stays in the head when the subgraph has ended; the root's commit then has
 * a higher offset (`tail`).
 */
export function isBetweenSupersteps({ heads }: Head, ordinal: number): boolean {
  const root = heads[''];
  if (root?.run !== ordinal) return false;
  return Object.entries(heads).every(
    ([ns, head]) => ns === '' || (!ns.includes(':') && (head.run !== ordinal || head.tail < root.tail)),
  );
}

/**
 * Returns whether the last tool calls in the state's messages have no results yet. No other message
 * may be added before the results, because models refuse a conversation in which anything but the
 * results follows tool calls.
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
