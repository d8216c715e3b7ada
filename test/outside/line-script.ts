import { lastUserText, type ChatRequest, type ModelReply } from '../support/model-script.js';

/**
 * A model that does what the person tells it, so that a test reads as its conversation: the last user message has a line for each answer
 * the model is to give, and how many it has given since then says which one is next. Stateless, so both sides of a comparison may ask.
 *
 *     get_weather {"city":"Oslo"} & get_weather {"city":"Rome"}
 *     It is sunny in both.
 */
export function followLines(request: ChatRequest): ModelReply {
  const { messages } = request;
  const asked = messages.findLastIndex((message) => message.role === 'user');
  const given = messages.slice(asked + 1).filter((message) => message.role === 'assistant').length;
  const lines = lastUserText(request).split('\n');
  const line = lines[given] ?? lines.at(-1) ?? '';
  const calls = line.split(' & ').map((part) => /^(\w+) (\{.*\})$/.exec(part));
  if (!calls.every((call) => call !== null)) return { text: line };
  return { toolCalls: calls.map((call) => ({ name: call[1] ?? '', args: JSON.parse(call[2] ?? '') as never })) };
}

/** One answer of the model that calls a tool. */
export function call(name: string, args: Record<string, unknown> = {}): string {
  return `${name} ${JSON.stringify(args)}`;
}

export function lines(...all: string[]): string {
  return all.join('\n');
}
