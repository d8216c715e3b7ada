import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../protocol/index.js';
import { logName } from '../../streams/event-batch.js';
import { LiveBatchHub } from '../../streams/live-batches.js';
import type { EventDocument } from '../../streams/log-tail.js';
import { caller, offsets, openEventLog, ownEventLog, said, scope, upTo } from './support.js';

const { database, log, client } = await ownEventLog('live');

describe('batches as they come', () => {
  const padded = (size: number) => (n: number) => said(`${n} ${'.'.repeat(size)}`);

  it.each([
    { kind: 'small batches with the change stream', event: padded(10), reads: 0 },
    { kind: 'large batches by reads that they share', event: padded(20_000), reads: 1 },
  ])('brings all followers of all logs $kind', async ({ event, reads }) => {
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
    /** Two batches for each log, one right after the other. */
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
    const alone = () => finds.filter((filter) => 'log' in filter);
    // Until the change stream is there everybody reads by himself.
    do {
      finds.length = 0;
      await writeTwo();
    } while (alone().length > 0);
    finds.length = 0;
    const times = 10;
    for (let n = 0; n < times; n += 1) await writeTwo();
    end.abort();
    expect(seen).toEqual(followers.map(() => upTo(written)));
    expect(alone()).toEqual([]);
    expect(finds.length).toBeLessThanOrEqual(reads * 2 * times * threads.length);
    await Promise.all(runs.map((run) => run.close()));
    await reader.close();
  });

  it('keeps what comes with the change stream behind what is still being read', async () => {
    const events = client.db(database).collection<EventDocument>('events');
    let read = (): void => undefined;
    const mayRead = new Promise<void>((resolve) => (read = resolve));
    let ask = (): void => undefined;
    const asked = new Promise<void>((resolve) => (ask = resolve));
    const reads = Object.create(events) as typeof events;
    reads.find = async function* (filter: object) {
      ask();
      await mayRead;
      yield* events.find(filter);
    } as unknown as typeof events.find;
    const hub = new LiveBatchHub(events, reads);
    const [slow, other] = [randomUUID(), randomUUID()];
    const batches = hub.join(logName('acme', slow));
    const others = hub.join(logName('acme', other));
    const run = log.open(caller(), scope(slow));
    const { signal } = new AbortController();
    while (!hub.listening) await others.next(1, 10, signal);
    await batches.next(1, 10, signal); // what was before, as the opened stream says
    run.append(padded(20_000)(1));
    await asked;
    run.append(said(2));
    await run.flush();
    const after = others.next(1, 600_000, signal);
    const otherRun = log.open(caller(), scope(other));
    otherRun.append(said(1));
    await otherRun.close();
    await after;
    read();
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
