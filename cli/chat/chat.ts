import { createLines } from './lines.js';
import type { ParsedFlags } from '../flags.js';
import { createScreen } from './screen.js';
import { ChatSession } from './session.js';

const DEFAULT_URL = 'http://127.0.0.1:2024';

export interface ChatOptions {
  /** Address of the API. */
  url: string;
  /** Id of the assistant, or name of its graph. Default: the oldest assistant. */
  assistant?: string;
  /** Id of the conversation to continue, or a prefix of it. */
  thread?: string;
  /** The chat ends when this promise resolves. */
  stopRequested?: Promise<void>;
}

export async function runChat(flags: ParsedFlags): Promise<number> {
  const { url = DEFAULT_URL, assistant, thread } = flags.text;
  await chatOnTerminal({ url, ...(assistant !== undefined && { assistant }), ...(thread !== undefined && { thread }) });
  return 0;
}

/**
 * Runs a chat until one of these happens: the input ends; the person types `/quit`; the person
 * presses Ctrl-C while no answer is being printed; `stopRequested` resolves. Errors: `unavailable`
 * if no API answers, `not_found` if there is no such assistant.
 */
export async function chatOnTerminal({ stopRequested, ...target }: ChatOptions): Promise<void> {
  const screen = createScreen(process.stdout);
  const onInterrupt = () => session.interrupt();
  const lines = createLines({ input: process.stdin, output: process.stdout, onInterrupt });
  const session = new ChatSession({ ...target, screen, lines });
  void stopRequested?.then(() => lines.close());
  // With `stopRequested`, the caller handles signals itself.
  if (stopRequested === undefined) process.on('SIGINT', onInterrupt);
  try {
    await session.run();
  } finally {
    process.off('SIGINT', onInterrupt);
    lines.close();
  }
}
