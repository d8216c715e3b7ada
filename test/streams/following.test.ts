import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type Caller, type StoredEvent } from '../../protocol/index.js';
import type { EventLog } from '../../streams/index.js';
import { EventReader } from '../../streams/event-reader.js';
import { PageReads } from '../../streams/page-reads.js';
import type { EventDocument } from '../../streams/log-tail.js';
import {
  caller,
  collect,
  fence,
  offsets,
  openEventLog,
  ownEventLog,
  proxiedServer,
  customEvent,
  scope,
  texts,
  upTo,
} from './support.js';

const { database, log, client } = await ownEventLog('following');

async function write(threadId: string, count: number, given = {}, writer = caller()): Promise<void> {
  const run = log.open(writer, scope(threadId, given));
  for (let n = 1; n <= count; n += 1) run.append(customEvent(n));
  await run.close();
}

describe('reading events', () => {
  it('starts after any offset, even in the middle of a batch', async () => {
    const threadId = randomUUID();
    await write(threadId, 10);
    for (const afterSeq of [0, 1, 4, 9, 10, 11]) {
      const events = await log.read(caller(), threadId, { afterSeq });
      expect(offsets(events)).toEqual(upTo(10).slice(afterSeq));
    }
  });

  it('starts in the middle of a large batch', async () => {
    const threadId = randomUUID();
    await write(threadId, 120);
    for (const afterSeq of [3, 30, 60, 119]) {
      expect(offsets(await log.read(caller(), threadId, { afterSeq }))).toEqual(upTo(120).slice(afterSeq));
    }
  });

  it('does not search for an earlier batch if the cache says that a batch ends at the offset; a deletion clears the cache', async () => {
    const reader = await openEventLog(database, { client: { monitorCommands: true } });
    const finds: { seq?: object }[] = [];
    reader.client.on('commandStarted', ({ command }) => {
      if (command.find === 'events') finds.push(command.filter as object);
    });
    const threadId = randomUUID();
    await write(threadId, 50);
    const tail = await reader.log.tail(caller(), threadId);
    finds.length = 0;
    expect(await reader.log.read(caller(), threadId, { afterSeq: tail })).toEqual([]);
    expect(finds.map(({ seq }) => seq)).not.toContainEqual(expect.objectContaining({ $lt: tail + 1 }));
    // The reader has cached that a batch ends at the offset `tail`. After the deletion the thread
    // gets a new log, in which this offset is in the middle of a batch. So the reader must forget
    // what it has cached.
    await reader.log.deleteThread(caller(), threadId);
    await write(threadId, 60, { fence: fence(2) });
    expect(offsets(await reader.log.read(caller(), threadId, { afterSeq: tail }))).toEqual(upTo(60).slice(50));
    await reader.close();
  });

  it('returns at most `limit` events, of all runs or of one run', async () => {
    const threadId = randomUUID();
    const runId = randomUUID();
    await write(threadId, 5);
    await write(threadId, 5, { runId, fence: fence(2) });
    expect(offsets(await log.read(caller(), threadId, { afterSeq: 2, limit: 4 }))).toEqual([3, 4, 5, 6]);
    expect(offsets(await log.read(caller(), threadId, { afterSeq: 0, runId, limit: 3 }))).toEqual([6, 7, 8]);
  });

  it('separates tenants that use the same thread id', async () => {
    const threadId = randomUUID();
    await write(threadId, 3);
    expect(await log.read(caller('other'), threadId, { afterSeq: 0 })).toEqual([]);
    expect(await log.tail(caller('other'), threadId)).toBe(0);
    await log.deleteThread(caller('other'), threadId);
    await write(threadId, 1, {}, caller('other'));
    expect(offsets(await log.read(caller(), threadId, { afterSeq: 0 }))).toEqual([1, 2, 3]);
    expect((await log.read(caller('other'), threadId, { afterSeq: 0 })).map(({ tenant }) => tenant)).toEqual(['other']);
  });

  it('returns no events of a deleted thread, but still those of other threads', async () => {
    const [gone, kept] = [randomUUID(), randomUUID()];
    await write(gone, 3);
    await write(kept, 3);
    await log.deleteThread(caller(), gone);
    await log.deleteThread(caller(), gone);
    expect(await log.read(caller(), gone, { afterSeq: 0 })).toEqual([]);
    expect(offsets(await log.read(caller(), kept, { afterSeq: 0 }))).toEqual([1, 2, 3]);
  });

  it('refuses an invalid offset', async () => {
    await expect(log.read(caller(), randomUUID(), { afterSeq: -1 })).rejects.toThrow(
      'offset is -1; expected an integer from 0',
    );
    await expect(log.read(caller(), randomUUID(), { afterSeq: Number.NaN })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});

describe('events with references to stored values', () => {
  const values = new Map([
    ['list', '[1,2]'],
    ['text', '"é"'],
  ]);
  const requested: string[][] = [];
  const readReferences = async ({ tenant }: Caller, threadId: string, keys: string[]) => {
    requested.push([tenant, threadId, ...keys]);
    return new Map([...values].filter(([key]) => keys.includes(key)));
  };
  const data = '{"a":,"ß":,"b":}';
  const refs = [
    { at: 5, key: 'list' },
    { at: 10, key: 'text' },
    { at: 15, key: 'list' },
  ];

  it('include the values in every read, except in a read with the option bare', async () => {
    const reader = await openEventLog(database, { readReferences });
    const threadId = randomUUID();
    const run = log.open(caller(), scope(threadId));
    run.append(customEvent('before'));
    run.append({ ns: '', event: 'values', data, refs });
    run.append(customEvent('after'));
    const whole = { a: [1, 2], ß: 'é', b: [1, 2] };
    expect(texts(await collect(reader.log, threadId, 3))).toEqual(['before', whole, 'after']);
    expect(requested).toEqual([['acme', threadId, 'list', 'text']]);
    expect(texts(await reader.log.read(caller(), threadId, { afterSeq: 0 }))).toEqual(['before', whole, 'after']);
    const bare = await reader.log.read(caller(), threadId, { afterSeq: 0, bare: true });
    expect(bare.map((event) => event.data)).toEqual(['"before"', data, '"after"']);
    await run.close();
    await reader.close();
  });

  it('are skipped if one of their values was deleted', async () => {
    const reader = await openEventLog(database, { readReferences });
    const threadId = randomUUID();
    const run = log.open(caller(), scope(threadId));
    run.append({ ns: '', event: 'values', data: '', refs: [{ at: 0, key: 'gone' }] });
    run.append({ ns: '', event: 'values', data: '', refs: [{ at: 0, key: 'list' }] });
    await run.close();
    expect(texts(await reader.log.read(caller(), threadId, { afterSeq: 0 }))).toEqual([[1, 2]]);
    expect(offsets(await collect(reader.log, threadId, 1))).toEqual([2]);
    await reader.close();
  });

  it('cannot be read if the event log was opened without the option readReferences', async () => {
    const threadId = randomUUID();
    const run = log.open(caller(), scope(threadId));
    run.append({ ns: '', event: 'values', data: '', refs: [{ at: 0, key: 'list' }] });
    await run.close();
    await expect(log.read(caller(), threadId, { afterSeq: 0 })).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('the follower of an event log', () => {
  it('receives events from the change stream without waiting for the next poll', async () => {
    const reader = await openEventLog(database, { pollMs: 600_000 });
    const threadId = randomUUID();
    const run = log.open(caller(), scope(threadId));
    const end = new AbortController();
    const seen: unknown[] = [];
    for await (const page of readyFollow(reader.log, threadId, end.signal, () => run.append(customEvent(1)))) {
      seen.push(...texts(page));
      if (seen.length < 20) run.append(customEvent(seen.length + 1));
      else end.abort();
    }
    expect(seen).toEqual(upTo(20));
    await run.close();
    await reader.close();
  });

  it('loses no event if it reads slowly', async () => {
    const threadId = randomUUID();
    const run = log.open(caller(), scope(threadId));
    const end = new AbortController();
    const pages = log.follow(caller(), threadId, { afterSeq: 0, signal: end.signal })[Symbol.asyncIterator]();
    const first = pages.next();
    run.append(customEvent(1));
    const seen = offsets((await first).value as StoredEvent[]);
    const large = 'x'.repeat(3 * 2 ** 20);
    for (let n = 2; n <= 5; n += 1) {
      run.append(customEvent(large));
      await run.flush();
    }
    while (seen.length < 5) seen.push(...offsets((await pages.next()).value as StoredEvent[]));
    expect(seen).toEqual(upTo(5));
    end.abort();
    await run.close();
  });

  it('reads a long log, then new events', async () => {
    const threadId = randomUUID();
    for (let turn = 1; turn <= 100; turn += 1) await write(threadId, 7, { fence: fence(turn), tail: (turn - 1) * 7 });
    const events = collect(log, threadId, 703, 3);
    await write(threadId, 6, { fence: fence(101) });
    expect(offsets(await events)).toEqual(upTo(706).slice(3));
  });

  it('skips events that have expired', async () => {
    const threadId = randomUUID();
    await write(threadId, 4);
    await write(threadId, 2, { fence: fence(2) });
    await client
      .db(database)
      .collection('events')
      .deleteMany({ log: `acme/${threadId}`, seq: 1 });
    expect(offsets(await collect(log, threadId, 2))).toEqual([5, 6]);
  });

  it.each([[[1]], [[4]], [[1, 4]]])(
    'skips no event that is written during its first scan: batches at the offsets %j',
    async (missedOffsets) => {
      const threadId = randomUUID();
      const run = log.open(caller(), scope(threadId));
      for (let n = 1; n <= 6; n += 1) {
        run.append(customEvent(n));
        await run.flush();
      }
      await run.close();
      const events = client.db(database).collection<EventDocument>('events');
      // The first scan does not return the batches at these offsets, as if they were written after
      // the scan had passed their position.
      let scans = 0;
      const racing = Object.create(events) as typeof events;
      racing.find = ((filter: object, options: object) => {
        scans += 1;
        const unseen = scans === 1 ? missedOffsets : [];
        return events.find({ $and: [filter, { seq: { $nin: unseen } }] }, options);
      }) as typeof events.find;
      const reader = new EventReader(new PageReads(racing), `acme/${threadId}`, 0, true);
      const seen: number[] = [];
      while (seen.length < 6) seen.push(...offsets(await reader.page()));
      expect(seen).toEqual(upTo(6));
      expect(reader.atEnd).toBe(true);
    },
  );

  it('shares reads with other followers that start at the same time', async () => {
    const threadIds = Array.from({ length: 4 }, () => randomUUID());
    for (const threadId of threadIds) await write(threadId, 5);
    const reader = await openEventLog(database, { client: { monitorCommands: true } });
    let reads = 0;
    let openReads = 0;
    let maxOpenReads = 0;
    reader.client.on('commandStarted', ({ commandName }) => {
      if (commandName !== 'find') return;
      reads += 1;
      openReads += 1;
      maxOpenReads = Math.max(maxOpenReads, openReads);
    });
    reader.client.on('commandSucceeded', ({ commandName }) => void (commandName === 'find' && (openReads -= 1)));
    const all = threadIds.flatMap((threadId) => Array.from({ length: 25 }, () => collect(reader.log, threadId, 3, 2)));
    for (const events of await Promise.all(all)) expect(offsets(events)).toEqual([3, 4, 5]);
    expect(maxOpenReads).toBeLessThanOrEqual(8);
    // If followers shared no reads, 100 followers would need 200 reads.
    expect(reads).toBeLessThan(100);
    await reader.close();
  });

  it('ends if its AbortSignal is aborted, either while it waits or before it starts', async () => {
    const end = new AbortController();
    const waiting = log.follow(caller(), randomUUID(), { afterSeq: 0, signal: end.signal })[Symbol.asyncIterator]();
    const next = waiting.next();
    setImmediate(() => end.abort());
    expect(await next).toEqual({ done: true, value: undefined });
    expect(
      await log.follow(caller(), randomUUID(), { afterSeq: 0, signal: end.signal })[Symbol.asyncIterator]().next(),
    ).toEqual({
      done: true,
      value: undefined,
    });
  });

  it('ends with an error when the event log is closed', async () => {
    const reader = await openEventLog(database, { pollMs: 600_000 });
    const { signal } = new AbortController();
    const pages = reader.log.follow(caller(), randomUUID(), { afterSeq: 0, signal })[Symbol.asyncIterator]();
    const next = expect(pages.next()).rejects.toMatchObject({ code: 'unavailable' });
    await reader.log.close();
    await next;
    await reader.close();
  });

  it('yields every event once and in order while several writers append and connections are cut', async () => {
    const server = await proxiedServer();
    const reader = await openEventLog(database, { address: server.address, pollMs: 200 });
    const threads = [randomUUID(), randomUUID(), randomUUID()];
    const count = 400;
    const followers = threads.flatMap((threadId) => [
      collect(reader.log, threadId, count),
      collect(log, threadId, count),
    ]);
    const writers = threads.map(async (threadId) => {
      let appended = 0;
      for (let turn = 1; appended < count; turn += 1) {
        const run = log.open(caller(), scope(threadId, { fence: fence(turn) }));
        for (let n = 0; n < 40; n += 1) {
          appended += 1;
          run.append(customEvent(appended));
          if (n % 8 === 0) await run.flush();
          if (n === 20) server.cut();
        }
        await run.close();
      }
    });
    await Promise.all(writers);
    for (const events of await Promise.all(followers)) {
      expect(offsets(events)).toEqual(upTo(count));
      expect(texts(events)).toEqual(upTo(count));
    }
    await reader.close();
    await server.close();
  }, 60_000);
});

/**
 * Follows an event log and yields its pages of events. Calls `start` when the follower waits for
 * its first event.
 */
async function* readyFollow(
  reader: EventLog,
  threadId: string,
  signal: AbortSignal,
  start: () => void,
): AsyncGenerator<StoredEvent[]> {
  const pages = reader.follow(caller(), threadId, { afterSeq: 0, signal })[Symbol.asyncIterator]();
  const first = pages.next();
  start();
  for (let page = await first; page.done !== true; page = await pages.next()) yield page.value;
}
