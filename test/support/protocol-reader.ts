import type { ProtocolEvent } from '../../api/protocol-v2/events.js';

/** A client of protocol v2 without LangGraph's SDK: shows events as they are on the wire, and sends what the SDK would not. */
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

  /** Everything up to the first event, of those that come and those that came, that is so. */
  async until(isLast: (event: ProtocolEvent) => boolean, nth = 1): Promise<ProtocolEvent[]> {
    for (;;) {
      const found = this.events.flatMap((event, at) => (isLast(event) ? [at] : []))[nth - 1];
      if (found !== undefined) return this.events.slice(0, found + 1);
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

/** The end of a run, as far as the root tells it. */
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

/** An event in a few words: its method, where it belongs, what it says. */
export function outline(event: ProtocolEvent | undefined): string {
  if (!event) return '';
  const { method, params } = event;
  const place = params.namespace.map((segment) => segment.split(':')[0]).join('/');
  const { event: what, name } = dataOf(params);
  const words = [place && `${place}:`, what ?? params.node ?? (method === 'tasks' ? name : undefined)];
  return [method, ...words.filter(Boolean)].join(' ').replace(/:$/, '');
}
