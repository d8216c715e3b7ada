import { ColloquyError, type Caller, type StoredEvent } from '../protocol/index.js';
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
  async of(caller: Caller, events: LoggedEvent[]): Promise<StoredEvent[]> {
    if (events.every(isWhole)) return events;
    const whole: StoredEvent[] = [];
    for (const event of events) {
      const put = isWhole(event) ? event : await this.#once(caller, event);
      if (put !== undefined) whole.push(put);
    }
    return whole;
  }

  #once(caller: Caller, event: LoggedEvent): Promise<StoredEvent | undefined> {
    const known = this.#whole.get(event) ?? this.#put(caller, event);
    this.#whole.set(event, known);
    // What could not be read is read again for the next who asks.
    known.catch(() => this.#whole.delete(event));
    return known;
  }

  async #put(caller: Caller, { refs = [], large, ...event }: LoggedEvent): Promise<StoredEvent | undefined> {
    const { tenant, threadId } = event;
    const text = large === undefined ? event.data : await this.#largeTexts.read(logName(tenant, threadId), large);
    if (text === undefined) return undefined;
    return refs.length === 0 ? { ...event, data: text } : this.#refer(caller, { ...event, data: text }, refs);
  }

  async #refer(caller: Caller, event: StoredEvent, refs: EventReference[]): Promise<StoredEvent | undefined> {
    const { threadId, seq } = event;
    if (this.#read === undefined) {
      throw new ColloquyError(
        'internal',
        `event ${seq} of thread ${threadId} refers to values; nobody here reads them`,
      );
    }
    const texts = await this.#read(caller, threadId, [...new Set(refs.map(({ key }) => key))]);
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
