import { createHash } from 'node:crypto';
import type { ApiClient, OpenResponse } from './api-client.js';
import { StuckError, type Clock } from './clock.js';
import type { Random } from './random.js';
import { messagesOf, type SeenEvent } from './records.js';

export interface FollowerOptions {
  api: ApiClient;
  clock: Clock;
  random: Random;
  /** Path of the stream: `/threads/…/runs/…/stream`. */
  location: string;
  /** Probability that the client disconnects after an event and reconnects, from 0 to 1. */
  leaves: number;
  /** Called after each event. */
  progress: () => void;
  /**
   * HTTP statuses after which the stream is requested again. Example: 404, because the record of
   * the run may not be stored yet.
   */
  patient?: readonly number[];
}

/**
 * Reads the stream of a run to its end over any number of connections. Each connection resumes
 * after the last event of the previous one.
 */
export class StreamFollower {
  readonly seen: SeenEvent[] = [];
  connections = 0;
  #lastId = '';
  readonly #options: FollowerOptions;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /**
   * Reads the stream to its end. `response` is an already open stream: the answer to the request
   * that created the run.
   */
  async toEnd(response?: OpenResponse): Promise<void> {
    const { api, clock, random, location, patient } = this.#options;
    for (let open = response; ; open = undefined) {
      if (clock.expired)
        throw new StuckError(`stream ${location} has no end; ${this.seen.length} events, last ${this.#lastId}`);
      open ??= await api.open(location, {
        headers: this.#lastId === '' ? {} : { 'Last-Event-ID': this.#lastId },
        ...(patient && { patient }),
      });
      this.connections += 1;
      if (await this.#read(open)) return;
      await clock.pause(random.between(20, 400));
    }
  }

  /**
   * Reads one connection. Returns true if the stream ended, false if the connection failed or the
   * client disconnected.
   */
  async #read(open: OpenResponse): Promise<boolean> {
    const { random, leaves, progress } = this.#options;
    let text = '';
    try {
      for await (const part of open.parts()) {
        const blocks = (text + part).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const event = parseBlock(block);
          if (event === undefined) continue;
          this.seen.push(event);
          this.#lastId = event.id;
          progress();
          if (random.chance(leaves)) return false;
        }
      }
      return true;
    } catch {
      return false;
    } finally {
      open.abort();
    }
  }
}

function parseBlock(block: string): SeenEvent | undefined {
  if (block.startsWith(':')) return undefined;
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
  const event = field('event');
  return { id: field('id'), event, data: digest(event, field('data')) };
}

/**
 * Shortens the data of an event, to keep the ledger file small. Keeps the parts that the checker
 * compares, and replaces other data by a hash.
 */
function digest(event: string, data: string): string {
  const [mode = ''] = event.split('|');
  if (mode === 'messages' || mode === 'metadata' || mode === 'error') return data;
  if (event === 'values') return JSON.stringify(messagesOf(JSON.parse(data)));
  return JSON.stringify(createHash('sha1').update(data).digest('base64'));
}
