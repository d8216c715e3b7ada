import { randomUUID } from 'node:crypto';
import { ColloquyError } from '../../protocol/index.js';
import { parseAnswer } from './answer-parser.js';
import type { Lines } from './lines.js';
import { formatQuestion } from './question.js';
import { ChatRuns } from './runs.js';
import type { TurnRequest } from './runs.js';
import { shorten } from './screen.js';
import type { Screen } from './screen.js';
import { printTranscript, textOf } from './turn.js';
import type { ChatMessage } from './turn.js';

const HELP = [
  '/threads    list conversations, newest first',
  '/open ID    open a conversation; the start of its id is enough',
  '/new        start a new conversation',
  '/help       show this help',
  '/quit       quit; conversations are kept',
  'Ctrl-C stops the answer that is being printed.',
];
const TITLE_LENGTH = 60;
const LONGEST_STATE = 2_000;

export interface ChatSessionOptions {
  url: string;
  assistant?: string;
  thread?: string;
  screen: Screen;
  lines: Lines;
}

/**
 * A chat with one assistant. Starts a run for each line that a person types, executes commands such
 * as `/new`, and asks the person the questions of open interrupts.
 */
export class ChatSession {
  readonly #options: ChatSessionOptions;
  readonly #runs: ChatRuns;
  readonly #screen: Screen;
  readonly #lines: Lines;
  #assistant = '';
  #thread: string | undefined;

  constructor(options: ChatSessionOptions) {
    this.#options = options;
    this.#screen = options.screen;
    this.#lines = options.lines;
    this.#runs = new ChatRuns(options.url, options.screen);
  }

  get #client() {
    return this.#runs.client;
  }

  async run(): Promise<void> {
    this.#assistant = await this.#findAssistant();
    this.#screen.dim(`Talking to ${this.#assistant}. /help lists the commands.`);
    if (this.#options.thread !== undefined) await this.#open(this.#options.thread);
    for (;;) {
      this.#screen.line('');
      const line = await this.#lines.next('> ');
      if (line === undefined || line.trim() === '/quit') return;
      await this.#handleLine(line.trim()).catch((error: unknown) => this.#printError(error));
    }
  }

  /**
   * Handles Ctrl-C: cancels the run whose output is being printed. If there is no such run, or it
   * is cancelled already, closes the chat.
   */
  interrupt(): void {
    if (!this.#runs.cancel()) this.#lines.close();
  }

  async #handleLine(line: string): Promise<void> {
    if (line === '') return;
    if (!line.startsWith('/')) return this.#send(line);
    const [command = '', ...words] = line.split(/\s+/);
    if (command === '/help') return HELP.forEach((text) => this.#screen.line(text));
    if (command === '/threads') return this.#listThreads();
    if (command === '/open') return this.#open(words[0] ?? '');
    if (command === '/new') return this.#startNew();
    this.#screen.line(`Unknown command ${command}; /help lists the commands.`);
  }

  #startNew(): void {
    this.#thread = undefined;
    this.#screen.dim('A new conversation.');
  }

  async #send(text: string): Promise<void> {
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
    const { hasOutput } = await this.#runs.start(threadId, this.#assistant, request);
    if (!hasOutput) await this.#printState(threadId);
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
        answers.push([id ?? '', parseAnswer(value, typed)]);
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
    this.#screen.dim('The question stays open; /open returns to it.');
    if (typed.trim() === '/quit') return this.#lines.close();
    await this.#handleLine(typed.trim());
  }

  /**
   * Prints the state of a thread. Used after a run that printed nothing, because graphs may stream
   * no messages.
   */
  async #printState(threadId: string): Promise<void> {
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

  /**
   * Returns the title of a thread. Threads that another client created have no title in their
   * metadata; for these, returns the start of the first human message.
   */
  async #titleOf(threadId: string, metadata: unknown): Promise<string> {
    const title = (metadata as { title?: unknown } | null)?.title;
    if (typeof title === 'string') return shorten(title, TITLE_LENGTH);
    const { values } = await this.#client.threads.getState<Record<string, unknown>>(threadId);
    const first = messagesOf(values).find((message) => message.type === 'human');
    return shorten(textOf(first?.content), TITLE_LENGTH);
  }

  async #open(prefix: string): Promise<void> {
    if (prefix === '') return this.#screen.line('/open needs an ID; /threads lists the ids.');
    const threads = await this.#client.threads.search({ limit: 500, sortBy: 'updated_at', sortOrder: 'desc' });
    const [thread, ...others] = threads.filter(({ thread_id: id }) => id.startsWith(prefix));
    if (thread === undefined) return this.#screen.line(`No conversation id starts with ${prefix}.`);
    if (others.length > 0) {
      return this.#screen.line(`${others.length + 1} conversation ids start with ${prefix}; type more of the id.`);
    }
    this.#thread = thread.thread_id;
    const { values } = await this.#client.threads.getState<Record<string, unknown>>(this.#thread);
    printTranscript(this.#screen, messagesOf(values));
    if (thread.status === 'busy') await this.#runs.join(this.#thread);
    await this.#askOpenQuestions(this.#thread);
  }

  async #findAssistant(): Promise<string> {
    const { url, assistant } = this.#options;
    await this.#runs.waitForApi();
    if (assistant !== undefined) return (await this.#client.assistants.get(assistant)).assistant_id && assistant;
    const [first] = await this.#client.assistants.search({ limit: 1, sortBy: 'created_at', sortOrder: 'asc' });
    if (first !== undefined) return first.graph_id;
    throw new ColloquyError('not_found', `the API at ${url} has no assistant; is a worker running?`);
  }

  #printError(error: unknown): void {
    this.#screen.line(`Error: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function messagesOf(values: Record<string, unknown> | null | undefined): ChatMessage[] {
  const messages = values?.['messages'];
  return Array.isArray(messages) ? (messages as ChatMessage[]) : [];
}

/** Returns the shortest prefix length, at least 8, at which all ids differ. */
function idLength(ids: string[]): number {
  let length = 8;
  while (length < 36 && new Set(ids.map((id) => id.slice(0, length))).size < ids.length) length += 1;
  return length;
}
