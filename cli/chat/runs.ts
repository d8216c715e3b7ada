import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@langchain/langgraph-sdk';
import { ColloquyError } from '../../protocol/index.js';
import type { Screen } from './screen.js';
import { TurnPrinter } from './turn.js';
import type { ChatMessage } from './turn.js';

export interface TurnRequest {
  input?: Record<string, unknown>;
  command?: { resume: unknown };
}

interface CurrentRun {
  threadId: string;
  /** Set after the API has accepted the run. */
  runId?: string;
  cancelled?: boolean;
}

interface StreamPart {
  id?: string | undefined;
  event: string;
  data: unknown;
}

type Stream = () => AsyncIterable<StreamPart>;

const API_TIMEOUT_MS = 60_000;
const STREAM_MODE: ['messages-tuple'] = ['messages-tuple'];

/**
 * Starts runs and prints their output while it streams. A run continues if the connection to the
 * API is lost, so the rest of its output is fetched as soon as the API answers again.
 */
export class ChatRuns {
  readonly client: Client;
  readonly #url: string;
  readonly #screen: Screen;
  #current: CurrentRun | undefined;
  /**
   * Idempotency key of the request that starts a run. If the connection is lost, the request is
   * repeated with the same key, so that it does not start a second run.
   */
  #idempotencyKey: string | undefined;

  constructor(url: string, screen: Screen) {
    this.#url = url;
    this.#screen = screen;
    this.client = new Client({
      apiUrl: url,
      apiKey: null,
      onRequest: (_, init) =>
        init.method === 'POST' && this.#idempotencyKey !== undefined ? withKey(init, this.#idempotencyKey) : init,
    });
  }

  /**
   * Starts a run and prints it. `hasOutput` is true if the run printed anything or was cancelled.
   * Errors: `unavailable` if the API does not answer.
   */
  async start(threadId: string, assistant: string, request: TurnRequest): Promise<{ hasOutput: boolean }> {
    const current: CurrentRun = { threadId };
    this.#idempotencyKey = randomUUID();
    const stream = () =>
      this.client.runs.stream(threadId, assistant, {
        ...request,
        streamMode: STREAM_MODE,
        streamSubgraphs: true,
        streamResumable: true,
        onDisconnect: 'continue',
        onRunCreated: ({ run_id }) => {
          current.runId = run_id;
          this.#idempotencyKey = undefined;
          if (current.cancelled === true) this.#sendCancel(current);
        },
      });
    return this.#print(current, stream as Stream);
  }

  /** If the thread has an active run, prints this run from its first event on. */
  async join(threadId: string): Promise<void> {
    const [run] = await this.client.runs.list(threadId, { status: 'running', limit: 1 });
    if (run === undefined) return;
    const current = { threadId, runId: run.run_id };
    await this.#print(current, this.#joinAfter(current, '-1'));
  }

  /**
   * Cancels the run that is being printed. Returns false if no run is being printed or that run is
   * cancelled already.
   */
  cancel(): boolean {
    const current = this.#current;
    if (current === undefined || current.cancelled === true) return false;
    current.cancelled = true;
    this.#sendCancel(current);
    return true;
  }

  async waitForApi(cause?: unknown): Promise<void> {
    const url = new URL('/ok', this.#url);
    for (const deadline = Date.now() + API_TIMEOUT_MS; Date.now() < deadline; await sleep(300)) {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      if (response?.ok === true) return;
    }
    throw new ColloquyError('unavailable', `no API answers at ${this.#url}`, { cause });
  }

  #sendCancel({ threadId, runId }: CurrentRun): void {
    if (runId === undefined) return;
    this.client.runs.cancel(threadId, runId).catch((error: unknown) => this.#screen.line(`Error: ${String(error)}`));
  }

  async #print(current: CurrentRun, stream: Stream): Promise<{ hasOutput: boolean }> {
    const printer = new TurnPrinter(this.#screen);
    this.#current = current;
    try {
      await this.#follow(current, printer, stream);
    } finally {
      printer.end();
      this.#current = undefined;
      this.#idempotencyKey = undefined;
    }
    if (current.cancelled === true) this.#screen.dim('(stopped)');
    return { hasOutput: printer.hasOutput || current.cancelled === true };
  }

  async #follow(current: CurrentRun, printer: TurnPrinter, firstStream: Stream): Promise<void> {
    let stream = firstStream;
    let lastEventId = '-1';
    for (;;) {
      try {
        for await (const part of stream()) {
          lastEventId = part.id ?? lastEventId;
          this.#printPart(part, printer);
        }
        return;
      } catch (error) {
        if (!isConnectionError(error)) throw error;
        this.#screen.dim('(the API does not answer; waiting for it)');
        await this.waitForApi(error);
      }
      if (current.runId !== undefined) stream = this.#joinAfter(current, lastEventId);
    }
  }

  #joinAfter({ threadId, runId }: CurrentRun, lastEventId: string): Stream {
    return () =>
      this.client.runs.joinStream(threadId, runId ?? '', {
        lastEventId,
        streamMode: STREAM_MODE,
      }) as AsyncIterable<StreamPart>;
  }

  #printPart(part: StreamPart, printer: TurnPrinter): void {
    const [name] = part.event.split('|');
    if (name === 'messages') printer.message((part.data as [ChatMessage])[0]);
    if (name === 'metadata' && Number((part.data as { attempt?: number }).attempt ?? 1) > 1) {
      printer.end();
      this.#screen.dim('(the attempt failed; trying again)');
    }
    if (name === 'error') {
      const { error, message } = part.data as { error?: string; message?: string };
      printer.end();
      printer.hasOutput = true;
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
  const isLostConnection =
    error.name === 'ConnectionError' || error.name === 'MaxReconnectAttemptsError' || error instanceof TypeError;
  return isLostConnection || /HTTP 50[234]/.test(error.message);
}
