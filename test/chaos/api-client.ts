import { StuckError, type Clock } from './clock.js';
import type { Random } from './random.js';

/** Thrown if the API refuses a request that it must accept. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

export interface ApiCall {
  method?: 'GET' | 'POST';
  body?: object;
  headers?: Record<string, string>;
  /** HTTP statuses after which the request is repeated, in addition to 5xx. */
  patient?: readonly number[];
}

/**
 * Longest wait for the status and the headers of a response, in ms. It is longer than the time for
 * which the API itself waits for a response of a conversation workflow.
 */
const HEAD_TIMEOUT_MS = 13_000;
/**
 * Longest time without data in the body of a response, in ms. A stream has a heartbeat every five
 * seconds, so after this time its server counts as dead.
 */
const IDLE_TIMEOUT_MS = 12_000;

/**
 * A client of several API processes. It sends each request to a random process. It repeats a failed
 * request unchanged, so with the same idempotency key.
 */
export class ApiClient {
  constructor(
    private readonly urls: readonly string[],
    private readonly random: Random,
    private readonly clock: Clock,
  ) {}

  /** Repeats a request until it succeeds. Returns the JSON of the answer. */
  async json<T>(path: string, call: ApiCall = {}): Promise<T> {
    for (;;) {
      const open = await this.open(path, call);
      try {
        let text = '';
        for await (const part of open.parts()) text += part;
        return JSON.parse(text) as T;
      } catch {
        await this.clock.pause(this.random.between(100, 500));
      }
    }
  }

  /**
   * Repeats a request until it succeeds. Returns the response. Errors: {@link RefusedError},
   * {@link StuckError}.
   */
  async open(path: string, call: ApiCall = {}): Promise<OpenResponse> {
    let last = 'nothing was tried';
    for (;;) {
      if (this.clock.expired) throw new StuckError(`${call.method ?? 'GET'} ${path} has no answer; last: ${last}`);
      const url = this.random.pick(this.urls);
      const open = new OpenResponse(this.clock.expiry);
      try {
        const response = await open.fetch(`${url}${path}`, call);
        if (response.ok) return open;
        const text = await response.text();
        last = `HTTP ${response.status} of ${url}: ${text.slice(0, 300)}`;
        if (response.status < 500 && !call.patient?.includes(response.status))
          throw new RefusedError(`${call.method ?? 'GET'} ${path}: ${last}`);
      } catch (error) {
        if (error instanceof RefusedError) throw error;
        last = `${url}: ${describe(error)}`;
      }
      open.abort();
      await this.clock.pause(this.random.between(100, 800));
    }
  }
}

/** A response that is aborted if no data arrives for too long. */
export class OpenResponse {
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  #response: Response | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(expiry: AbortSignal) {
    this.#signal = AbortSignal.any([this.#abort.signal, expiry]);
  }

  async fetch(url: string, { method = 'GET', body, headers }: ApiCall): Promise<Response> {
    this.#watch(HEAD_TIMEOUT_MS);
    this.#response = await fetch(url, {
      method,
      signal: this.#signal,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return this.#response;
  }

  header(name: string): string {
    return this.#response?.headers.get(name) ?? '';
  }

  /** Yields the text of the body as it arrives. Throws if the body is incomplete. */
  async *parts(): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    try {
      this.#watch(IDLE_TIMEOUT_MS);
      for await (const chunk of (this.#response?.body ?? []) as AsyncIterable<Uint8Array>) {
        this.#watch(IDLE_TIMEOUT_MS);
        yield decoder.decode(chunk, { stream: true });
      }
    } finally {
      this.abort();
    }
  }

  abort(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  #watch(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#abort.abort(new Error(`silent for ${ms} ms`)), ms);
  }
}

function describe(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
