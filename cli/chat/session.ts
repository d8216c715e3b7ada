import { randomUUID } from 'node:crypto';
import { ColloquyError } from '../../protocol/index.js';
import { toAnswer } from './answer.js';
import { createLines } from './lines.js';
import type { Lines } from './lines.js';
import { ChatRuns } from './runs.js';
import type { TurnRequest } from './runs.js';
import { createScreen, formatQuestion, shorten } from './screen.js';
import type { Screen } from './screen.js';
import { printTranscript, textOf } from './turn.js';
import type { WireMessage } from './turn.js';
import type { ParsedFlags } from '../flags.js';

export interface ChatOptions {
  url: string;
  /** Assistant id or graph; default: the first one there is. */
  assistant?: string;
  /** Conversation to go on with; a prefix of its id is enough. */
  thread?: string;
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean };
  /** Ends the chat. */
  stopAsked?: Promise<void>;
}

const HELP = [
  '/threads    list conversations, the latest first',
  '/open ID    go back to one; the start of its id is enough',
  '/new        begin another',
  '/help       this',
  '/quit       leave; everything is kept',
  'Ctrl-C stops the answer that is being written.',
];
const TITLE_LENGTH = 60;
const LONGEST_STATE = 2_000;

export async function runChat(flags: ParsedFlags): Promise<number> {
  const { url = 'http://127.0.0.1:2024', assistant, thread } = flags.text;
  await chatOnTerminal({ url, ...(assistant !== undefined && { assistant }), ...(thread !== undefined && { thread }) });
  return 0;
}

export function chatOnTerminal(options: Omit<ChatOptions, 'input' | 'output'>): Promise<void> {
  return chat({ ...options, input: process.stdin, output: process.stdout });
}

/** Talks until the input ends, `/quit`, or Ctrl-C outside of an answer. Errors: `unavailable` without an API, `not_found`. */
export async function chat(options: ChatOptions): Promise<void> {
  const conversation = new ChatSession(options);
  await conversation.run();
}

class ChatSession {
  readonly #options: ChatOptions;
  readonly #runs: ChatRuns;
  readonly #screen: Screen;
  readonly #lines: Lines;
  #assistant = '';
  #thread: string | undefined;

  constructor(options: ChatOptions) {
    this.#options = options;
    this.#screen = createScreen(options.output);
    this.#lines = createLines({ input: options.input, output: options.output, onInterrupt: () => this.#interrupt() });
    this.#runs = new ChatRuns(options.url, this.#screen);
    void options.stopAsked?.then(() => this.#lines.close());
  }

  get #client() {
    return this.#runs.client;
  }

  async run(): Promise<void> {
    const onSignal = () => this.#interrupt();
    if (this.#options.stopAsked === undefined) process.on('SIGINT', onSignal);
    try {
      this.#assistant = await this.#findAssistant();
      this.#screen.dim(`Talking to ${this.#assistant}. /help shows what else can be typed.`);
      if (this.#options.thread !== undefined) await this.#open(this.#options.thread);
      for (;;) {
        this.#screen.line('');
        const line = await this.#lines.next('> ');
        if (line === undefined || line.trim() === '/quit') return;
        await this.#take(line.trim()).catch((error: unknown) => this.#explain(error));
      }
    } finally {
      process.off('SIGINT', onSignal);
      this.#lines.close();
    }
  }

  async #take(line: string): Promise<void> {
    if (line === '') return;
    if (!line.startsWith('/')) return this.#say(line);
    const [command = '', ...words] = line.split(/\s+/);
    if (command === '/help') return HELP.forEach((text) => this.#screen.line(text));
    if (command === '/threads') return this.#listThreads();
    if (command === '/open') return this.#open(words[0] ?? '');
    if (command === '/new') return this.#begin();
    this.#screen.line(`There is no ${command}; /help shows what there is.`);
  }

  #begin(): void {
    this.#thread = undefined;
    this.#screen.dim('A new conversation.');
  }

  async #say(text: string): Promise<void> {
    this.#thread ??= await this.#createThread(text);
    await this.#turn(this.#thread, { input: { messages: [{ role: 'user', content: text }] } });
    await this.#askOpenQuestions(this.#thread);
  }

  async #createThread(text: string): Promise<string> {
    const threadId = randomUUID();
    const metadata = { title: shorten(text, TITLE_LENGTH) };
    await this.#client.threads.create({ threadId, ifExists: 'do_nothing', metadata });
    return threadId;
  }

  async #turn(threadId: string, request: TurnRequest): Promise<void> {
    const { spoke } = await this.#runs.start(threadId, this.#assistant, request);
    if (!spoke) await this.#showState(threadId);
  }

  async #askOpenQuestions(threadId: string): Promise<void> {
    for (;;) {
      const questions = await this.#openQuestions(threadId);
      if (questions.length === 0) return;
      const answers: [id: string, answer: unknown][] = [];
      for (const { id, value } of questions) {
        const typed = await this.#ask(value);
        if (typed === undefined) return;
        if (typed.startsWith('/')) return this.#leaveQuestion(typed);
        answers.push([id ?? '', toAnswer(value, typed)]);
      }
      const [only] = answers;
      const resume = answers.length === 1 ? only?.[1] : Object.fromEntries(answers);
      await this.#turn(threadId, { command: { resume } });
    }
  }

  async #openQuestions(threadId: string): Promise<{ id?: string | undefined; value?: unknown }[]> {
    const { status, interrupts } = await this.#client.threads.get(threadId);
    return status === 'interrupted' ? Object.values(interrupts).flat() : [];
  }

  #ask(question: unknown): Promise<string | undefined> {
    const lines = formatQuestion(question);
    this.#screen.line('');
    lines.slice(0, -1).forEach((line) => this.#screen.line(line));
    this.#screen.strong(lines.at(-1) ?? '');
    return this.#lines.next('? ');
  }

  async #leaveQuestion(typed: string): Promise<void> {
    this.#screen.dim('The question stays open; /open brings you back to it.');
    if (typed.trim() === '/quit') return this.#lines.close();
    await this.#take(typed.trim());
  }

  /** For graphs whose answer is no message that was streamed. */
  async #showState(threadId: string): Promise<void> {
    const { values } = await this.#client.threads.getState<Record<string, unknown>>(threadId);
    const messages = messagesOf(values);
    const last = messages.at(-1);
    if (last?.type === 'ai') this.#screen.line(textOf(last.content));
    else if (messages.length === 0) this.#screen.dim(shorten(JSON.stringify(values), LONGEST_STATE));
  }

  async #listThreads(): Promise<void> {
    const threads = await this.#client.threads.search({ limit: 20, sortBy: 'updated_at', sortOrder: 'desc' });
    if (threads.length === 0) this.#screen.line('No conversations yet.');
    const length = idLength(threads.map((thread) => thread.thread_id));
    for (const { thread_id: id, metadata, updated_at: updatedAt, status } of threads) {
      const when = updatedAt.slice(0, 16).replace('T', ' ');
      const row = [id.slice(0, length), when, status.padEnd(11), await this.#titleOf(id, metadata)];
      this.#screen.line(`${id === this.#thread ? '*' : ' '} ${row.join('  ')}`);
    }
  }

  /** Threads that another client began have no title of ours. */
  async #titleOf(threadId: string, metadata: unknown): Promise<string> {
    const title = (metadata as { title?: unknown } | null)?.title;
    if (typeof title === 'string') return shorten(title, TITLE_LENGTH);
    const { values } = await this.#client.threads.getState<Record<string, unknown>>(threadId);
    const first = messagesOf(values).find((message) => message.type === 'human');
    return shorten(textOf(first?.content), TITLE_LENGTH);
  }

  async #open(prefix: string): Promise<void> {
    if (prefix === '') return this.#screen.line('/open ID: which one? /threads lists them.');
    const threads = await this.#client.threads.search({ limit: 500, sortBy: 'updated_at', sortOrder: 'desc' });
    const [thread, ...others] = threads.filter(({ thread_id: id }) => id.startsWith(prefix));
    if (thread === undefined) return this.#screen.line(`No conversation begins with ${prefix}.`);
    if (others.length > 0) {
      return this.#screen.line(`${others.length + 1} conversations begin with ${prefix}; type more of the id.`);
    }
    this.#thread = thread.thread_id;
    const { values } = await this.#client.threads.getState<Record<string, unknown>>(this.#thread);
    printTranscript(this.#screen, messagesOf(values));
    if (thread.status === 'busy') await this.#runs.join(this.#thread);
    await this.#askOpenQuestions(this.#thread);
  }

  async #findAssistant(): Promise<string> {
    const { url, assistant } = this.#options;
    await this.#runs.untilApiAnswers();
    if (assistant !== undefined) return (await this.#client.assistants.get(assistant)).assistant_id && assistant;
    const [first] = await this.#client.assistants.search({ limit: 1, sortBy: 'created_at', sortOrder: 'asc' });
    if (first !== undefined) return first.graph_id;
    throw new ColloquyError('not_found', `the API at ${url} has no assistant; is a worker running?`);
  }

  /** Ctrl-C: stops the answer being written; outside of one, leaves. */
  #interrupt(): void {
    if (!this.#runs.cancel()) this.#lines.close();
  }

  #explain(error: unknown): void {
    this.#screen.line(`Error: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function messagesOf(values: Record<string, unknown> | null | undefined): WireMessage[] {
  const messages = values?.['messages'];
  return Array.isArray(messages) ? (messages as WireMessage[]) : [];
}

/** Characters of an id that tell it from the others, 8 at least. */
function idLength(ids: string[]): number {
  let length = 8;
  while (length < 36 && new Set(ids.map((id) => id.slice(0, length))).size < ids.length) length += 1;
  return length;
}
