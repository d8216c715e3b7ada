import { randomUUID } from 'node:crypto';
import { Binary, type Collection } from 'mongodb';
import pRetry from 'p-retry';
import { ColloquyError } from '../protocol/index.js';
import { answeredWithin, isTransient } from '../database/index.js';

const PART_BYTES = 8 * 2 ** 20;
const ANSWER_MS = 20_000;
const RETRIES = { retries: 4, minTimeout: 500, maxTimeout: 2_000 };

/** A piece of the text of an event. */
export interface TextPart {
  /** `<tenant>/<threadId>/<id>/<number from 0>` */
  _id: string;
  /** `<tenant>/<threadId>` */
  log: string;
  bytes: Binary;
  expiresAt: Date;
}

/** Where the text of an event lies that is too large for a document. */
export interface LargeText {
  id: string;
  parts: number;
}

/** Keeps texts of any length in parts beside the log, as long as events are kept. */
export class LargeTexts {
  readonly #parts: Collection<TextPart>;
  readonly #retentionMs: number;

  constructor(parts: Collection<TextPart>, retentionMs: number) {
    this.#parts = parts;
    this.#retentionMs = retentionMs;
  }

  /** `stored` resolves when it can be read. Errors: `unavailable`. */
  store(log: string, text: string): { large: LargeText; stored: Promise<void> } {
    const bytes = Buffer.from(text);
    const large = { id: randomUUID(), parts: Math.ceil(bytes.length / PART_BYTES) };
    return { large, stored: this.#store(log, large, bytes) };
  }

  /** `undefined` where it has expired. */
  async read(log: string, { id, parts }: LargeText): Promise<string | undefined> {
    const pieces: Uint8Array[] = [];
    for (let part = 0; part < parts; part += 1) {
      const found = await this.#parts.findOne({ _id: partKey(log, id, part) });
      if (found === null) return undefined;
      pieces.push(found.bytes.value());
    }
    return Buffer.concat(pieces).toString();
  }

  async delete(log: string): Promise<void> {
    await this.#parts.deleteMany({ log });
  }

  async #store(log: string, { id, parts }: LargeText, bytes: Buffer): Promise<void> {
    const expiresAt = new Date(Date.now() + this.#retentionMs);
    for (let part = 0; part < parts; part += 1) {
      const piece = new Binary(bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
      await this.#put({ _id: partKey(log, id, part), log, bytes: piece, expiresAt });
    }
  }

  /** An upsert, so that a repeated attempt writes the same part. */
  async #put({ _id, ...part }: TextPart): Promise<void> {
    const put = () => answeredWithin(ANSWER_MS, this.#parts.updateOne({ _id }, { $set: part }, { upsert: true }));
    await pRetry(put, { ...RETRIES, shouldRetry: ({ error }) => isTransient(error) }).catch((cause: Error) => {
      throw new ColloquyError('unavailable', `part ${_id} of an event cannot be stored: ${cause.message}`, { cause });
    });
  }
}

function partKey(log: string, id: string, part: number): string {
  return `${log}/${id}/${part}`;
}
