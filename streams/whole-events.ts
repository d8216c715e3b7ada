import { ColloquyError, type StoredEvent } from '../protocol/index.js';
import { logName, type LoggedEvent } from './event-batch.js';
import type { LargeTexts } from './large-texts.js';
import type { EventReference, ReadReferences } from './ports.js';

/** Puts events together with the values that they refer to; an event that many follow once. */
export class WholeEvents {
  readonly #largeTexts: LargeTexts;
  readonly #read: ReadReferences | undefined;
  readonly #whole = new WeakMap<LoggedEvent, Promise<StoredEvent | undefined>>();

  constructor(largeTexts: LargeTexts, read: ReadReferences | undefined) {
    this.#largeTexts = largeTexts;
    this.#read = read;
  }

  /** In their order. An event of which a value is gone is passed over, like one that has expired. */
  async of(events: LoggedEvent[]): Promise<StoredEvent[]> {
    if (events.every(isWhole)) return events;
    const whole: StoredEvent[] = [];
    for (const event of events) {
      const put = isWhole(event) ? event : await this.#once(event);
      if (put !== undefined) whole.push(put);
    }
    return whole;
  }

  #once(event: LoggedEvent): Promise<StoredEvent | undefined> {
    const known = this.#whole.get(event) ?? this.#put(event);
    this.#whole.set(event, known);
    // What could not be read is read again for the next who asks.
    known.catch(() => this.#whole.delete(event));
    return known;
  }

  async #put({ refs = [], large, ...event }: LoggedEvent): Promise<StoredEvent | undefined> {
    const { tenant, threadId } = event;
    const text = large === undefined ? event.data : await this.#largeTexts.read(logName(tenant, threadId), large);
    if (text === undefined) return undefined;
    return refs.length === 0 ? { ...event, data: text } : this.#refer({ ...event, data: text }, refs);
  }

  async #refer(event: StoredEvent, refs: EventReference[]): Promise<StoredEvent | undefined> {
    const { tenant, threadId, seq } = event;
    if (this.#read === undefined) {
      throw new ColloquyError(
        'internal',
        `event ${seq} of thread ${threadId} refers to values; nobody here reads them`,
      );
    }
    const texts = await this.#read(tenant, threadId, [...new Set(refs.map(({ key }) => key))]);
    let data = '';
    let from = 0;
    for (const { at, key } of refs) {
      const text = texts.get(key);
      if (text === undefined) return undefined;
      data += event.data.slice(from, at) + text;
      from = at;
    }
    return { ...event, data: data + event.data.slice(from) };
  }
}

function isWhole({ refs, large }: LoggedEvent): boolean {
  return refs === undefined && large === undefined;
}
