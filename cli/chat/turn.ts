import { formatToolCall } from './screen.js';
import type { Screen } from './screen.js';

/** A message or message chunk of LangGraph's API. */
export interface ChatMessage {
  id?: string;
  type?: string;
  content?: unknown;
  tool_calls?: { id?: string; name: string; args: unknown }[];
  tool_call_chunks?: { id?: string; index?: number; name?: string; args?: string }[];
}

interface PendingCall {
  name: string;
  args: string;
}

/** Prints text as soon as it arrives, and each tool call in one line when the call is complete. */
export class TurnPrinter {
  readonly #screen: Screen;
  readonly #calls = new Map<string, PendingCall>();
  #messageId: string | undefined;
  /** Whether anything was printed. */
  hasOutput = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  message(message: ChatMessage): void {
    const isAnswer = message.type === 'ai' || message.type === 'AIMessageChunk';
    if (!isAnswer) {
      this.#flushCalls();
      return;
    }
    if (message.id !== this.#messageId) {
      this.#flushCalls();
      this.#screen.endText();
      this.#messageId = message.id;
    }
    const text = textOf(message.content);
    if (text !== '') this.hasOutput = true;
    this.#screen.text(text);
    this.#collect(message);
  }

  end(): void {
    this.#flushCalls();
    this.#screen.endText();
  }

  #collect({ tool_call_chunks: chunks = [], tool_calls: calls = [] }: ChatMessage): void {
    for (const [position, chunk] of chunks.entries()) {
      const key = String(chunk.index ?? position);
      const pending = this.#calls.get(key) ?? { name: '', args: '' };
      this.#calls.set(key, { name: pending.name + (chunk.name ?? ''), args: pending.args + (chunk.args ?? '') });
    }
    if (chunks.length > 0) return;
    for (const [position, call] of calls.entries()) {
      this.#calls.set(call.id ?? String(position), { name: call.name, args: JSON.stringify(call.args) });
    }
  }

  #flushCalls(): void {
    for (const { name, args } of this.#calls.values()) {
      if (name === '') continue;
      this.hasOutput = true;
      this.#screen.dim(formatToolCall(name, args));
    }
    this.#calls.clear();
  }
}

/** Returns the text of a message, whose content is a string or a list of blocks. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((block: { type?: string; text?: string } | string) => (typeof block === 'string' ? block : (block.text ?? '')))
    .join('');
}

/** Prints the messages of a thread's state. */
export function printTranscript(screen: Screen, messages: ChatMessage[]): void {
  for (const message of messages) {
    const text = textOf(message.content);
    if (message.type === 'human') {
      screen.line('');
      screen.strong(`> ${text}`);
    } else if (message.type === 'ai') {
      if (text !== '') screen.line(text);
      for (const call of message.tool_calls ?? []) screen.dim(formatToolCall(call.name, call.args));
    }
  }
}
