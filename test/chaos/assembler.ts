import { offsetOf, textOf, type SeenEvent, type WireMessage } from './records.js';

/** Data of the `metadata` event that opens an attempt. */
export interface AttemptNotice {
  attempt?: number;
  /** Offsets, first and last of each range, of what the attempts before said in vain. */
  superseded?: [first: number, last: number][];
}

export function attemptOf({ event, data }: SeenEvent): AttemptNotice | undefined {
  if (event !== 'metadata') return undefined;
  const notice = JSON.parse(data) as AttemptNotice;
  return (notice.attempt ?? 1) > 1 ? notice : undefined;
}

/** What counts of a stream: without metadata, and without what a later attempt has superseded. */
export function effectiveEvents(events: readonly SeenEvent[]): SeenEvent[] {
  const superseded = events.flatMap((event) => attemptOf(event)?.superseded ?? []);
  return events.filter(({ id, event }) => {
    const offset = offsetOf(id);
    return event !== 'metadata' && !superseded.some(([first, last]) => offset >= first && offset <= last);
  });
}

/** Texts of the model's messages by id, put together from the pieces of `messages-tuple` as a chat does it. */
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
