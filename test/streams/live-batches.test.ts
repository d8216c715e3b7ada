import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../protocol/index.js';
import { logName } from '../../streams/event-batch.js';
import { LiveBatchHub } from '../../streams/live-batches.js';
import type { EventDocument } from '../../streams/log-tail.js';
import { caller, offsets, openEventLog, ownEventLog, customEvent, scope, upTo } from './support.js';

const { database, log, client } = await ownEventLog('live');

describe('new batches of events (LiveBatchHub)', () => {
  const padded = (size: number) => (n: number) => customEvent(`${n} ${'.'.repeat(size)}`);

  it.each([
    { kind: 'small batches from the change stream', event: padded(10), reads: 0 },
    { kind: 'large batches from shared reads', event: padded(20_000), reads: 1 },
  ])('reach all followers of two logs without a query for each follower: $kind', async ({ event, reads }) => {
    const reader = await openEventLog(database, { pollMs: 600_000, client: { monitorCommands: true } });
    const finds: object[] = [];
    reader.client.on('commandStarted', ({ command }) => {
      if (command.find === 'events') finds.push(command.filter as object);
    });
    const threads = [randomUUID(), randomUUID()];
    const runs = threads.map((threadId) => log.open(caller(), scope(threadId)));
    const end = new AbortController();
    const followers = threads.flatMap((threadId) =>
      [1, 2, 3].map(() =>
        reader.log.follow(caller(), threadId, { afterSeq: 0, signal: end.signal })[Symbol.asyncIterator](),
      ),
    );
    const seen = followers.map(() => [] as number[]);
    let written = 0;
    /** Writes two batches to each event log, and waits until all followers have received them. */
    const writeTwo = async () => {
      for (const run of runs) run.append(event(written + 1));
      await Promise.all(runs.map((run) => run.flush()));
      for (const run of runs) run.append(event(written + 2));
      written += 2;
      const read = async (pages: AsyncIterator<StoredEvent[]>, offsetsSeen: number[]) => {
        while (offsetsSeen.length < written) offsetsSeen.push(...offsets((await pages.next()).value as StoredEvent[]));
      };
      await Promise.all(followers.map((pages, index) => read(pages, seen[index] ?? [])));
    };
    const ownReads = () => finds.filter((filter) => 'log' in filter);
    // Until the change stream is open, each follower queries the collection itself. Repeat until no
    // follower does.
    do {
      finds.length = 0;
      await writeTwo();
    } while (ownReads().length > 0);
    finds.length = 0;
    const times = 10;
    for (let n = 0; n < times; n += 1) await writeTwo();
    end.abort();
    expect(seen).toEqual(followers.map(() => upTo(written)));
    expect(ownReads()).toEqual([]);
    expect(finds.length).toBeLessThanOrEqual(reads * 2 * times * threads.length);
    await Promise.all(runs.map((run) => run.close()));
    await reader.close();
  });

  it('keep their order if a small batch follows a large batch that is still being read', async () => {
    const events = client.db(database).collection<EventDocument>('events');
    let allowRead = (): void => undefined;
    const readAllowed = new Promise<void>((resolve) => (allowRead = resolve));
    let reportRead = (): void => undefined;
    const readRequested = new Promise<void>((resolve) => (reportRead = resolve));
    const reads = Object.create(events) as typeof events;
    reads.find = async function* (filter: object) {
      reportRead();
      await readAllowed;
      yield* events.find(filter);
    } as unknown as typeof events.find;
    const hub = new LiveBatchHub(events, reads);
    const [slow, other] = [randomUUID(), randomUUID()];
    const batches = hub.join(logName('acme', slow));
    const others = hub.join(logName('acme', other));
    const run = log.open(caller(), scope(slow));
    const { signal } = new AbortController();
    while (!hub.listening) await others.next(1, 10, signal);
    await batches.next(1, 10, signal); // undefined: the stream has just opened
    run.append(padded(20_000)(1));
    await readRequested;
    run.append(customEvent(2));
    await run.flush();
    const after = others.next(1, 600_000, signal);
    const otherRun = log.open(caller(), scope(other));
    otherRun.append(customEvent(1));
    await otherRun.close();
    await after;
    allowRead();
    const seen: number[] = [];
    while (seen.length < 2) {
      const next = await batches.next(seen.length + 1, 600_000, signal);
      seen.push(...(next ?? [{ seq: -1 }]).map(({ seq }) => seq));
    }
    expect(seen).toEqual([1, 2]);
    await run.close();
    await hub.close();
  });
});
