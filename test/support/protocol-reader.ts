import type { ProtocolEvent } from '../../api/protocol-v2/events.js';

/**
 * A client of protocol v2 that does not use LangGraph's SDK. So tests see the events exactly as the
 * server sent them, and can send invalid commands.
 */
export class ProtocolReader {
  readonly events: ProtocolEvent[] = [];
  readonly ids: string[] = [];
  readonly #gone = new AbortController();
  readonly #waiting = new Set<() => void>();
  #commands = 0;

  private constructor(
    private readonly apiUrl: string,
    private readonly threadId: string,
  ) {}

  static async open(
    apiUrl: string,
    threadId: string,
    filter: Record<string, unknown>,
    headers: Record<string, string> = {},
  ): Promise<ProtocolReader> {
    const reader = new ProtocolReader(apiUrl, threadId);
    const answer = await fetch(`${apiUrl}/threads/${threadId}/stream/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(filter),
      signal: reader.#gone.signal,
    });
    if (!answer.ok || !answer.body) throw new Error(`${answer.status}: ${await answer.text()}`);
    void reader.#read(answer.body).catch(() => undefined);
    return reader;
  }

  /** Waits for the n-th event for which `isLast` is true, and returns all events up to it. */
  async until(isLast: (event: ProtocolEvent) => boolean, nth = 1): Promise<ProtocolEvent[]> {
    for (;;) {
      const lastIndex = this.events.flatMap((event, index) => (isLast(event) ? [index] : []))[nth - 1];
      if (lastIndex !== undefined) return this.events.slice(0, lastIndex + 1);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  command(method: string, params: unknown): Promise<Record<string, unknown>> {
    return command(this.apiUrl, this.threadId, { id: ++this.#commands, method, params });
  }

  close(): void {
    this.#gone.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let buffered = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
      const parts = (buffered + chunk).split('\n\n');
      buffered = parts.pop() ?? '';
      for (const part of parts) this.#parseEvent(part.split('\n'));
    }
  }

  #parseEvent(lines: string[]): void {
    const data = lines.find((line) => line.startsWith('data: '));
    if (data === undefined) return;
    this.events.push(JSON.parse(data.slice('data: '.length)) as ProtocolEvent);
    this.ids.push(lines.find((line) => line.startsWith('id: '))?.slice('id: '.length) ?? '');
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

export async function command(apiUrl: string, threadId: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${apiUrl}/threads/${threadId}/commands`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) return { status: answer.status, text };
  return JSON.parse(text) as Record<string, unknown>;
}

/**
 * Returns whether the event ends a run: a lifecycle event of the root graph with `completed`,
 * `failed` or `interrupted`.
 */
export function isTerminal({ method, params }: ProtocolEvent): boolean {
  const { event } = dataOf(params);
  return (
    method === 'lifecycle' &&
    params.namespace.length === 0 &&
    ['completed', 'failed', 'interrupted'].includes(event ?? '')
  );
}

export function dataOf(params: ProtocolEvent['params']): { event?: string; name?: string } {
  return params.data as { event?: string; name?: string };
}

/**
 * Returns a short text for an event: its method, its namespace, and the name of its lifecycle
 * event, node or task.
 */
export function outline(event: ProtocolEvent | undefined): string {
  if (!event) return '';
  const { method, params } = event;
  const namespace = params.namespace.map((segment) => segment.split(':')[0]).join('/');
  const { event: lifecycle, name } = dataOf(params);
  const words = [namespace && `${namespace}:`, lifecycle ?? params.node ?? (method === 'tasks' ? name : undefined)];
  return [method, ...words.filter(Boolean)].join(' ').replace(/:$/, '');
}
