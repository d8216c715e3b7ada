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
 * Returns whether the root graph of a run is between two supersteps. The answer is false before the
 * run's first checkpoint of the root graph. It is also false while a subgraph is running, even if
 * the subgraph is between two supersteps of its own: a new checkpoint of the root would restart the
 * subgraph.
 *
 * The head has an entry for the namespace of each running subgraph. If the namespace has a task id
 * (`node:<task id>`), the next checkpoint of the root removes the entry, so the subgraph is running
 * as long as the entry exists. If the namespace has no task id, the entry stays after the end of
 * the subgraph. Such a subgraph has ended if its entry is of another run, or if the `tail` (an
 * event offset) of its entry is lower than the `tail` of the root's entry.
 */
export function isBetweenSupersteps({ heads }: Head, ordinal: number): boolean {
  const root = heads[''];
  if (root?.run !== ordinal) return false;
  return Object.entries(heads).every(
    ([ns, head]) => ns === '' || (!ns.includes(':') && (head.run !== ordinal || head.tail < root.tail)),
  );
}

/**
 * Returns whether a tool call in the state's messages still has no result. For this, looks at the
 * tool calls of the last message that is not itself a tool result. While a result is missing, no
 * other message may be added: models refuse a conversation in which another message comes between a
 * tool call and its result.
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
