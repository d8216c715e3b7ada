import { randomUUID } from 'node:crypto';
import { Binary, type Collection } from 'mongodb';
import pRetry from 'p-retry';
import { ColloquyError } from '../protocol/index.js';
import { answeredWithin, isTransient } from '../database/index.js';

/** Size of a part: half of MongoDB's limit for a document, which is 16 MB. */
const PART_BYTES = 8 * 2 ** 20;
/**
 * Timeout of one write. It is shorter than the driver's socket timeout of 30 s, so a stuck write
 * ends with this timeout and is then retried.
 */
const WRITE_TIMEOUT_MS = 20_000;
const RETRIES = { retries: 4, minTimeout: 500, maxTimeout: 2_000 };

/** One part of the text of a large event. */
export interface TextPart {
  /** `<tenant>/<threadId>/<id of the text>/<number of the part, from 0>` */
  _id: string;
  /** Name of the event log: `<tenant>/<threadId>`. */
  log: string;
  bytes: Binary;
  expiresAt: Date;
}

/**
 * Refers to a stored text that was too large for its batch (a document with several events).
 * `parts` is the number of parts of the text.
 */
export interface LargeText {
  id: string;
  parts: number;
}

/** Stores texts of any length in parts of 8 MB. Parts expire after the same time as events. */
export class LargeTexts {
  readonly #parts: Collection<TextPart>;
  readonly #retentionMs: number;

  constructor(parts: Collection<TextPart>, retentionMs: number) {
    this.#parts = parts;
    this.#retentionMs = retentionMs;
  }

  /**
   * Starts to store a text. The returned promise `stored` resolves when all parts are stored.
   * Errors of `stored`: `unavailable`.
   */
  store(log: string, text: string): { large: LargeText; stored: Promise<void> } {
    const bytes = Buffer.from(text);
    const large = { id: randomUUID(), parts: Math.ceil(bytes.length / PART_BYTES) };
    return { large, stored: this.#store(log, large, bytes) };
  }

  /** Returns the text, or undefined if the text has expired. */
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

  /**
   * Stores a part. Uses an upsert, so that a retry does not fail on a part that is stored already.
   */
  async #put({ _id, ...part }: TextPart): Promise<void> {
    const put = () =>
      answeredWithin(WRITE_TIMEOUT_MS, this.#parts.updateOne({ _id }, { $set: part }, { upsert: true }));
    await pRetry(put, { ...RETRIES, shouldRetry: ({ error }) => isTransient(error) }).catch((cause: Error) => {
      throw new ColloquyError('unavailable', `part ${_id} of an event cannot be stored: ${cause.message}`, { cause });
    });
  }
}

function partKey(log: string, id: string, part: number): string {
  return `${log}/${id}/${part}`;
}
