import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from './random.js';

/**
 * An external effect, as a node reports it to the ledger. `key` is the idempotency key of the
 * effect. If the node reports the effect again, the key is the same.
 */
export interface EffectRecord {
  type: 'effect';
  key: string;
  effect: string;
}

export interface LedgerOptions {
  file: string;
  seed: number;
  /** Share of effects whose report gets 503. Half of these are recorded nevertheless. */
  rate: number;
}

/**
 * The record of what really happened, outside of the platform: an append-only file behind HTTP.
 * Agents report their effects with `POST /effects`. The server answers after a random delay, and
 * some of these requests fail. All random numbers come from `seed`. The chaos program reports what
 * its clients saw with `POST /records`.
 */
export class LedgerServer {
  readonly #options: LedgerOptions;
  readonly #file: number;
  readonly #server: Server;
  readonly #random: Random;
  readonly #failed = new Set<string>();

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.#file = openSync(options.file, 'a');
    this.#random = new Random(options.seed, 'ledger');
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => answer(response, 400, String(error)));
    });
  }

  static async start(options: LedgerOptions): Promise<LedgerServer> {
    const ledger = new LedgerServer(options);
    ledger.#server.listen(0, '127.0.0.1');
    await once(ledger.#server, 'listening');
    return ledger;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    closeSync(this.#file);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += String(part);
    const body = JSON.parse(text) as unknown;
    if (request.url === '/records') {
      for (const record of [body].flat()) this.#append(record);
      return answer(response, 200, 'recorded');
    }
    if (request.url !== '/effects') return answer(response, 404, `no route ${request.url}`);
    await this.#effect(body as { key: string; effect: string }, response);
  }

  async #effect({ key, effect }: { key: string; effect: string }, response: ServerResponse): Promise<void> {
    await delay(this.#random.between(2, 120));
    const fails = !this.#failed.has(key) && this.#random.chance(this.#options.rate);
    if (fails) this.#failed.add(key);
    if (fails && this.#random.chance(0.5)) return answer(response, 503, 'not recorded');
    this.#append({ type: 'effect', key, effect } satisfies EffectRecord);
    if (fails) return answer(response, 503, 'recorded, but who knows');
    answer(response, 200, 'recorded');
  }

  #append(record: unknown): void {
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(text);
}
