import { offsetOf, textOf, type SeenEvent, type WireMessage } from './records.js';

/** Data of the `metadata` event that starts an attempt. */
export interface AttemptNotice {
  attempt?: number;
  /** Offsets of the events that this attempt supersedes, as ranges. */
  superseded?: [first: number, last: number][];
}

export function attemptOf({ event, data }: SeenEvent): AttemptNotice | undefined {
  if (event !== 'metadata') return undefined;
  const notice = JSON.parse(data) as AttemptNotice;
  return (notice.attempt ?? 1) > 1 ? notice : undefined;
}

/**
 * Returns the effective events of a stream: all events except `metadata` events and events that a
 * later attempt supersedes.
 */
export function effectiveEvents(events: readonly SeenEvent[]): SeenEvent[] {
  const superseded = events.flatMap((event) => attemptOf(event)?.superseded ?? []);
  return events.filter(({ id, event }) => {
    const offset = offsetOf(id);
    return event !== 'metadata' && !superseded.some(([first, last]) => offset >= first && offset <= last);
  });
}

/**
 * Joins the pieces of each model message to one text, as a chat client does. The pieces are the
 * events of the stream mode `messages-tuple`. Returns the texts by message id.
 */
export function assembleTexts(events: readonly SeenEvent[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { event, data } of events) {
    if (event !== 'messages' && !event.startsWith('messages|')) continue;
    const [message] = JSON.parse(data) as [WireMessage];
    if (message.type !== 'ai' && message.type !== 'AIMessageChunk') continue;
    const id = message.id ?? '';
    texts.set(id, (texts.get(id) ?? '') + textOf(message.content));
  }
  return new Map([...texts].filter(([, text]) => text !== ''));
}
