import { ColloquyError, type Caller, type StoredEvent } from '../protocol/index.js';
import { logName, type LoggedEvent } from './event-batch.js';
import type { LargeTexts } from './large-texts.js';
import type { EventReference, ReadReferences } from './ports.js';

/**
 * Completes events as they are read from the log: inserts the values that they refer to, and loads
 * their large texts. Followers that get the same event share the result.
 */
export class WholeEvents {
  readonly #largeTexts: LargeTexts;
  readonly #read: ReadReferences | undefined;
  readonly #wholeEvents = new WeakMap<LoggedEvent, Promise<StoredEvent | undefined>>();

  constructor(largeTexts: LargeTexts, read: ReadReferences | undefined) {
    this.#largeTexts = largeTexts;
    this.#read = read;
  }

  /**
   * Returns the complete events in the same order. Skips an event if one of its values or its large
   * text no longer exists, as if the event had expired.
   */
  async of(caller: Caller, events: LoggedEvent[]): Promise<StoredEvent[]> {
    if (events.every(isWhole)) return events;
    const whole: StoredEvent[] = [];
    for (const event of events) {
      const resolved = isWhole(event) ? event : await this.#once(caller, event);
      if (resolved !== undefined) whole.push(resolved);
    }
    return whole;
  }

  #once(caller: Caller, event: LoggedEvent): Promise<StoredEvent | undefined> {
    const known = this.#wholeEvents.get(event) ?? this.#resolve(caller, event);
    this.#wholeEvents.set(event, known);
    // Do not cache a failure, so that the next caller reads again.
    known.catch(() => this.#wholeEvents.delete(event));
    return known;
  }

  async #resolve(caller: Caller, { refs = [], large, ...event }: LoggedEvent): Promise<StoredEvent | undefined> {
    const { tenant, threadId } = event;
    const text = large === undefined ? event.data : await this.#largeTexts.read(logName(tenant, threadId), large);
    if (text === undefined) return undefined;
    return refs.length === 0 ? { ...event, data: text } : this.#insertValues(caller, { ...event, data: text }, refs);
  }

  async #insertValues(caller: Caller, event: StoredEvent, refs: EventReference[]): Promise<StoredEvent | undefined> {
    const { threadId, seq } = event;
    if (this.#read === undefined) {
      throw new ColloquyError(
        'internal',
        `event ${seq} of thread ${threadId} refers to stored values; this event log has no readReferences option`,
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
