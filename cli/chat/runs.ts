import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@langchain/langgraph-sdk';
import { ColloquyError } from '../../protocol/index.js';
import type { Screen } from './screen.js';
import { TurnPrinter } from './turn.js';
import type { WireMessage } from './turn.js';

export interface TurnRequest {
  input?: Record<string, unknown>;
  command?: { resume: unknown };
}

interface CurrentRun {
  threadId: string;
  /** Known as soon as the API accepted it. */
  runId?: string;
  cancelled?: boolean;
}

interface StreamPart {
  id?: string | undefined;
  event: string;
  data: unknown;
}

type Stream = () => AsyncIterable<StreamPart>;

const SERVER_WAIT_MS = 60_000;
const MODE: ['messages-tuple'] = ['messages-tuple'];

/** Runs of a conversation, written to the screen as they go; a run outlives its connection, so the rest is fetched when the API is back. */
export class ChatRuns {
  readonly client: Client;
  readonly #url: string;
  readonly #screen: Screen;
  #current: CurrentRun | undefined;
  /** Sent with the next request, so that sending it again after a lost connection is the same one. */
  #key: string | undefined;

  constructor(url: string, screen: Screen) {
    this.#url = url;
    this.#screen = screen;
    this.client = new Client({
      apiUrl: url,
      apiKey: null,
      onRequest: (_, init) => (init.method === 'POST' && this.#key !== undefined ? withKey(init, this.#key) : init),
    });
  }

  /** Answers whether the run said anything. Errors: `unavailable` when the API stays away. */
  async start(threadId: string, assistant: string, request: TurnRequest): Promise<{ spoke: boolean }> {
    const current: CurrentRun = { threadId };
    this.#key = randomUUID();
    const stream = () =>
      this.client.runs.stream(threadId, assistant, {
        ...request,
        streamMode: MODE,
        streamSubgraphs: true,
        streamResumable: true,
        onDisconnect: 'continue',
        onRunCreated: ({ run_id }) => {
          current.runId = run_id;
          this.#key = undefined;
          if (current.cancelled === true) this.#sendCancel(current);
        },
      });
    return this.#write(current, stream as Stream);
  }

  /** What a run that goes on by itself says, from its beginning. */
  async join(threadId: string): Promise<void> {
    const [run] = await this.client.runs.list(threadId, { status: 'running', limit: 1 });
    if (run === undefined) return;
    const current = { threadId, runId: run.run_id };
    await this.#write(current, this.#rest(current, '-1'));
  }

  /** Stops the run being written; false where there is none, or it was told already. */
  cancel(): boolean {
    const current = this.#current;
    if (current === undefined || current.cancelled === true) return false;
    current.cancelled = true;
    this.#sendCancel(current);
    return true;
  }

  async untilApiAnswers(cause?: unknown): Promise<void> {
    const url = new URL('/ok', this.#url);
    for (const giveUpAt = Date.now() + SERVER_WAIT_MS; Date.now() < giveUpAt; await sleep(300)) {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      if (response?.ok === true) return;
    }
    throw new ColloquyError('unavailable', `no API answers at ${this.#url}`, { cause });
  }

  #sendCancel({ threadId, runId }: CurrentRun): void {
    if (runId === undefined) return;
    this.client.runs.cancel(threadId, runId).catch((error: unknown) => this.#screen.line(`Error: ${String(error)}`));
  }

  async #write(current: CurrentRun, stream: Stream): Promise<{ spoke: boolean }> {
    const printer = new TurnPrinter(this.#screen);
    this.#current = current;
    try {
      await this.#follow(current, printer, stream);
    } finally {
      printer.end();
      this.#current = undefined;
      this.#key = undefined;
    }
    if (current.cancelled === true) this.#screen.dim('(stopped)');
    return { spoke: printer.spoke || current.cancelled === true };
  }

  async #follow(current: CurrentRun, printer: TurnPrinter, first: Stream): Promise<void> {
    let stream = first;
    let lastEventId = '-1';
    for (;;) {
      try {
        for await (const part of stream()) {
          lastEventId = part.id ?? lastEventId;
          this.#show(part, printer);
        }
        return;
      } catch (error) {
        if (!isConnectionError(error)) throw error;
        this.#screen.dim('(the API does not answer; waiting for it)');
        await this.untilApiAnswers(error);
      }
      if (current.runId !== undefined) stream = this.#rest(current, lastEventId);
    }
  }

  #rest({ threadId, runId }: CurrentRun, lastEventId: string): Stream {
    return () =>
      this.client.runs.joinStream(threadId, runId ?? '', {
        lastEventId,
        streamMode: MODE,
      }) as AsyncIterable<StreamPart>;
  }

  #show(part: StreamPart, printer: TurnPrinter): void {
    const [name] = part.event.split('|');
    if (name === 'messages') printer.message((part.data as [WireMessage])[0]);
    if (name === 'metadata' && Number((part.data as { attempt?: number }).attempt ?? 1) > 1) {
      printer.end();
      this.#screen.dim('(that attempt failed; trying again)');
    }
    if (name === 'error') {
      const { error, message } = part.data as { error?: string; message?: string };
      printer.end();
      printer.spoke = true;
      this.#screen.line(`${error ?? 'Error'}: ${message ?? 'no message'}`);
    }
  }
}

function withKey(init: RequestInit, key: string): RequestInit {
  const headers = new Headers(init.headers);
  headers.set('Idempotency-Key', key);
  return { ...init, headers };
}

function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isLost =
    error.name === 'ConnectionError' || error.name === 'MaxReconnectAttemptsError' || error instanceof TypeError;
  return isLost || /HTTP 50[234]/.test(error.message);
}
