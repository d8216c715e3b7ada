import {
  CONTROL_EVENTS,
  isInRanges,
  supersededRanges,
  type AttemptData,
  type Head,
  type StoredEvent,
} from '../protocol/index.js';

/**
 * Returns the offset ranges of the run's events that belong to no committed checkpoint, because the
 * attempt that wrote them ended before its commit. The commit of a checkpoint also commits all
 * earlier events of the run in the namespace of the checkpoint and in the subgraphs inside it.
 * `head` contains the newest checkpoint of each namespace. `events` are all events of the run so
 * far, in order. `ordinal` is the number of the run in its thread.
 */
export function uncommittedRanges(events: StoredEvent[], head: Head, ordinal: number): AttemptData['superseded'] {
  const dropped = new Set<number>();
  for (const event of events) {
    if (event.event === CONTROL_EVENTS.attempt) dropEarlier(event, dropped);
    else if (event.event !== CONTROL_EVENTS.ended && event.seq > committedUpTo(event.ns, head, ordinal))
      dropped.add(event.seq);
  }
  return ranges([...dropped].sort((a, b) => a - b));
}

/**
 * Returns the ids of the chat messages in `events`, except in superseded events (events of an
 * attempt that died before its commit). Only reads events of mode `messages-tuple`. The data of
 * such an event is a pair of message and metadata, or LangGraph's protocol event about a message.
 */
export function writtenMessageIds(events: StoredEvent[], superseded: AttemptData['superseded']): Set<string> {
  const kept = events.filter(
    ({ event, seq }) => (event === 'messages' || event.startsWith('messages|')) && !isInRanges(superseded, seq),
  );
  const ids = kept.map(({ data }) => {
    const payload = JSON.parse(data) as [{ id?: string }?] | { id?: string };
    return Array.isArray(payload) ? payload[0]?.id : payload.id;
  });
  return new Set(ids.filter((id) => id !== undefined));
}

function committedUpTo(ns: string, head: Head, ordinal: number): number {
  const own = head.heads[ns];
  const here = own?.run === ordinal ? own.tail : 0;
  if (ns === '') return here;
  const parent = ns.includes('|') ? ns.slice(0, ns.lastIndexOf('|')) : '';
  return Math.max(here, committedUpTo(parent, head, ordinal));
}

function dropEarlier(attempt: StoredEvent, dropped: Set<number>): void {
  for (const [first, last] of supersededRanges(attempt)) {
    for (let seq = first; seq <= last; seq += 1) dropped.add(seq);
  }
}

function ranges(sorted: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const seq of sorted) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === seq - 1) last[1] = seq;
    else found.push([seq, seq]);
  }
  return found;
}
