import { CONTROL_EVENTS, type AttemptData, type StoredEvent } from './event.js';

type OffsetRanges = AttemptData['superseded'];

/**
 * Returns the ranges of offsets that a `run.attempt` event supersedes: the ranges that the event
 * names, and the range between its `tail` and its own offset. `tail` is the offset of the last
 * event in the thread's log when the new attempt began. An earlier attempt may have written more
 * events after that.
 */
export function supersededRanges(attempt: StoredEvent): OffsetRanges {
  const { superseded, tail } = JSON.parse(attempt.data) as AttemptData;
  return tail + 1 < attempt.seq ? [...superseded, [tail + 1, attempt.seq - 1]] : superseded;
}

export function isInRanges(ranges: OffsetRanges, seq: number): boolean {
  return ranges.some(([first, last]) => seq >= first && seq <= last);
}

/**
 * The superseded events of a thread, so that a reader can leave them out. An attempt supersedes
 * only events of its own run. Its ranges may also contain offsets of another run's events or of the
 * thread's own events; these events stay valid.
 */
export class SupersededEvents {
  readonly #rangesByRun = new Map<string, OffsetRanges>();

  /** Remembers the ranges of offsets that the `run.attempt` events in `events` supersede. */
  note(events: readonly StoredEvent[]): void {
    for (const event of events) {
      if (event.event !== CONTROL_EVENTS.attempt) continue;
      const known = this.#rangesByRun.get(event.runId) ?? [];
      this.#rangesByRun.set(event.runId, [...known, ...supersededRanges(event)]);
    }
  }

  has({ runId, seq }: StoredEvent): boolean {
    return isInRanges(this.#rangesByRun.get(runId) ?? [], seq);
  }
}
