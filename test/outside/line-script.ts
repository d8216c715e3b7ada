import { lastUserText, type ChatRequest, type ModelReply } from '../support/model-script.js';

/**
 * Returns the next answer of a scripted model. The script is the last user message: its first line
 * is the first answer after the message, and so on. A line contains tool calls, or else the text of
 * the answer. The function keeps no state, so one model server can serve two clients at the
 * same time: Colloquy, and LangGraph alone. Example of a message:
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
  const calls = line.split(' & ').map((part) => /^([\w-]+) (\{.*\})$/.exec(part));
  if (!calls.every((call) => call !== null)) return { text: line };
  return { toolCalls: calls.map((call) => ({ name: call[1] ?? '', args: JSON.parse(call[2] ?? '') as never })) };
}

/** Returns the line for an answer that calls a tool. */
export function call(name: string, args: Record<string, unknown> = {}): string {
  return `${name} ${JSON.stringify(args)}`;
}

export function lines(...all: string[]): string {
  return all.join('\n');
}
