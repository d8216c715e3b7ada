import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ColloquyError, CONTROL_EVENTS, errorCode, type StoredEvent } from '../../protocol/index.js';
import type { RunLog } from '../../streams/index.js';
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

const { database, log, client, openRun } = await ownEventLog('writing');

/**
 * Returns all events of a thread. It reads several times, because one read returns fewer events if
 * they are large.
 */
async function readAll(threadId: string, reader = log): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for (;;) {
    const more = await reader.read(caller(), threadId, { afterSeq: all.at(-1)?.seq ?? 0, limit: 20_000 });
    if (more.length === 0) return all;
    all.push(...more);
  }
}

describe('writing events', () => {
  it('gives offsets from 1 without a gap, in the order of the appends', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    for (let n = 1; n <= 5; n += 1) run.append(customEvent(n));
    expect(await run.flush()).toBe(5);
    for (let n = 6; n <= 8; n += 1) run.append(customEvent(n));
    await run.close();
    const events = await readAll(threadId);
    expect(offsets(events)).toEqual(upTo(8));
    expect(texts(events)).toEqual(upTo(8));
  });

  it('keeps every field of an event', async () => {
    const threadId = randomUUID();
    const opened = scope(threadId, { fence: fence(3, 2, 1) });
    const run = log.open(caller(), opened);
    run.append({ ns: 'tools:1', event: 'values|tools:1', data: '{"$a.b":[1]}' });
    await run.close();
    expect(await readAll(threadId)).toEqual([
      {
        tenant: 'acme',
        threadId,
        seq: 1,
        runId: opened.runId,
        fence: '0000000003.0000002.00001',
        ns: 'tools:1',
        event: 'values|tools:1',
        data: '{"$a.b":[1]}',
        at: expect.any(Date),
      },
    ]);
  });

  it('writes appended events even if nobody calls flush', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    run.append(customEvent('first'));
    expect(texts(await collect(log, threadId, 1))).toEqual(['first']);
    run.append(customEvent('second'));
    expect(texts(await collect(log, threadId, 1, 1))).toEqual(['second']);
    await run.close();
  });

  it('a flush with nothing to write returns the offset of the last event', async () => {
    const threadId = randomUUID();
    expect(await openRun(threadId).flush()).toBe(0);
    const run = openRun(threadId);
    run.append(customEvent(1));
    await run.close();
    expect(await openRun(threadId, { fence: fence(2) }).flush()).toBe(1);
    expect(await log.tail(caller(), threadId)).toBe(1);
  });

  it("writes nothing before the promise in the log's option `after` has resolved", async () => {
    const threadId = randomUUID();
    let allowWrites: () => void = () => undefined;
    const run = openRun(threadId, { tail: 0, after: new Promise<void>((resolve) => (allowWrites = resolve)) });
    run.append(customEvent(1));
    const flushed = run.flush();
    // Closing the log `other` flushes the events of all open logs. Only the event of `run` is not
    // written, because `run` waits for the promise in its option `after`.
    const other = openRun(randomUUID());
    other.append(customEvent('other'));
    await other.close();
    expect(await readAll(threadId)).toEqual([]);
    allowWrites();
    expect(await flushed).toBe(1);
    expect(texts(await readAll(threadId))).toEqual([1]);
    await run.close();
  });

  it("flush and close throw the error if the promise in the log's option `after` rejects", async () => {
    const after = Promise.reject(new ColloquyError('unavailable', 'not recorded'));
    const run = openRun(randomUUID(), { after });
    run.append(customEvent(1));
    await expect(run.flush()).rejects.toMatchObject({ code: 'unavailable', message: 'not recorded' });
    await expect(run.close()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it("writes an event and all later ones only after the promise in the event's field `after` has resolved", async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    run.append(customEvent(1));
    expect(await run.flush()).toBe(1);
    let allowWrite: () => void = () => undefined;
    run.append(customEvent(2));
    run.append({ ...customEvent(3), after: new Promise<void>((resolve) => (allowWrite = resolve)) });
    run.append(customEvent(4));
    const all = run.flush();
    expect(texts(await collect(log, threadId, 2))).toEqual([1, 2]);
    const other = openRun(randomUUID());
    other.append(customEvent('other'));
    await other.close();
    expect(texts(await readAll(threadId))).toEqual([1, 2]);
    allowWrite();
    expect(await all).toBe(4);
    expect(texts(await readAll(threadId))).toEqual([1, 2, 3, 4]);
    await run.close();
  });

  it("flush and close throw the error if the promise in an event's field `after` rejects", async () => {
    const run = openRun(randomUUID());
    run.append({ ...customEvent(1), after: Promise.reject(new ColloquyError('fence_lost', 'not stored')) });
    await expect(run.flush()).rejects.toMatchObject({ code: 'fence_lost', message: 'not stored' });
    await expect(run.close()).rejects.toMatchObject({ code: 'fence_lost' });
  });

  it('a writer takes the next free offset if its first offset was already used by another writer', async () => {
    const threadId = randomUUID();
    const early = openRun(threadId, { tail: 0 });
    early.append(customEvent('a'));
    early.append(customEvent('b'));
    await early.close();
    const late = openRun(threadId, { fence: fence(2), tail: 0 });
    late.append(customEvent('c'));
    expect(await late.flush()).toBe(3);
    await late.close();
    expect(texts(await readAll(threadId))).toEqual(['a', 'b', 'c']);
  });

  it('stops a writer after another writer with a higher fence has written', async () => {
    const threadId = randomUUID();
    const old = openRun(threadId, { fence: fence(1, 1, 1), tail: 0 });
    old.append(customEvent('old 1'));
    await old.flush();
    const next = openRun(threadId, { fence: fence(1, 1, 2) });
    next.append(customEvent('new 1'));
    await next.flush();
    old.append(customEvent('old 2'));
    await expect(old.flush()).rejects.toMatchObject({ code: 'fence_lost' });
    old.append(customEvent('old 3'));
    await expect(old.flush()).rejects.toMatchObject({ code: 'fence_lost' });
    await expect(old.close()).rejects.toMatchObject({ code: 'fence_lost' });
    await next.close();
    expect(texts(await readAll(threadId))).toEqual(['old 1', 'new 1']);
  });

  it('refuses a writer whose fence is lower than the fence of the last event', async () => {
    const threadId = randomUUID();
    const owner = openRun(threadId, { fence: fence(2) });
    owner.append(customEvent(1));
    await owner.close();
    const late = openRun(threadId, { fence: fence(1) });
    late.append(customEvent('late'));
    await expect(late.close()).rejects.toMatchObject({ code: 'fence_lost' });
  });

  it('stops the writer with the lower fence if two write at once; no offset is missing or used twice', async () => {
    const threadId = randomUUID();
    const other = await openEventLog(database);
    const write = async (run: RunLog, name: string, count: number): Promise<string | undefined> => {
      try {
        for (let n = 1; n <= count; n += 1) {
          run.append(customEvent(`${name} ${n}`));
          if (n % 3 !== 0) continue;
          await run.flush();
          // A real step pauses between two writes. Here these reads are the pause.
          for (let pause = 0; pause < 4; pause += 1) await log.tail(caller(), threadId);
        }
        await run.close();
        return undefined;
      } catch (error) {
        return errorCode(error);
      }
    };
    const lost = write(openRun(threadId, { fence: fence(1, 1, 1), tail: 0 }), 'old', 10_000);
    await collect(log, threadId, 20);
    const won = write(other.log.open(caller(), scope(threadId, { fence: fence(1, 1, 2), tail: 0 })), 'new', 60);
    expect(await lost).toBe('fence_lost');
    expect(await won).toBeUndefined();
    await other.close();

    const events = await readAll(threadId);
    expect(offsets(events)).toEqual(upTo(events.length));
    const written = texts(events) as string[];
    const old = written.filter((text) => text.startsWith('old'));
    expect(old).toEqual(old.map((_, index) => `old ${index + 1}`));
    expect(written.slice(old.length)).toEqual(upTo(60).map((n) => `new ${n}`));
  });

  it('writes an event only once even if the answer to its insert is lost', async () => {
    const server = await proxiedServer();
    const proxied = await openEventLog(database, { address: server.address, client: { retryWrites: false } });
    const threadId = randomUUID();
    const run = proxied.log.open(caller(), scope(threadId));
    for (let n = 1; n <= 30; n += 1) {
      if (n % 5 === 0) server.loseAnswerTo('insert');
      run.append(customEvent(n));
      if (n % 2 === 0) await run.flush();
    }
    await run.close();
    expect(server.lost()).toBeGreaterThanOrEqual(5);
    await proxied.close();
    await server.close();
    const events = await readAll(threadId);
    expect(texts(events)).toEqual(upTo(30));
    expect(offsets(events)).toEqual(upTo(30));
  });

  it('writes all events when an unreachable database can be reached again', async () => {
    const server = await proxiedServer();
    const proxied = await openEventLog(database, {
      address: server.address,
      client: { serverSelectionTimeoutMS: 200, retryWrites: false },
    });
    const threadId = randomUUID();
    const run = proxied.log.open(caller(), scope(threadId));
    run.append(customEvent(1));
    await run.flush();
    server.refuse();
    run.append(customEvent(2));
    const flushed = run.flush();
    run.append(customEvent(3));
    server.restore();
    expect(await flushed).toBeGreaterThanOrEqual(2);
    await run.close();
    await proxied.close();
    await server.close();
    expect(texts(await readAll(threadId))).toEqual([1, 2, 3]);
  });

  it('repeats a write if the connection was cut after only a part of the write had been sent', async () => {
    const server = await proxiedServer();
    const proxied = await openEventLog(database, { address: server.address, client: { retryWrites: false } });
    const threadId = randomUUID();
    const run = proxied.log.open(caller(), scope(threadId, { tail: 0 }));
    const stopped = server.stopReadingAt('insert');
    const text = 'x'.repeat(12_000_000); // more than the buffers of both sockets take
    run.append(customEvent(text));
    const flushed = run.flush();
    await stopped;
    server.cut();
    expect(await flushed).toBe(1);
    await run.close();
    await proxied.close();
    await server.close();
    expect(texts(await readAll(threadId))).toEqual([text]);
  });

  it("gives up writing to an unreachable database when the log's abort signal fires", async () => {
    const server = await proxiedServer();
    const proxied = await openEventLog(database, {
      address: server.address,
      client: { serverSelectionTimeoutMS: 200 },
    });
    const end = new AbortController();
    const run = proxied.log.open(caller(), scope(randomUUID(), { signal: end.signal, tail: 0 }));
    server.refuse();
    run.append(customEvent(1));
    const flushed = expect(run.flush()).rejects.toMatchObject({ code: 'unavailable' });
    end.abort();
    await flushed;
    await proxied.close();
    await server.close();
  });

  it('keeps events of any size, in order, until their thread is deleted', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    // The text is stored in several parts. Its characters have several bytes, so a part ends in the
    // middle of a character.
    const large = '€🦉'.repeat(3 * 2 ** 20);
    run.append(customEvent('before'));
    run.append(customEvent(large));
    run.append(customEvent('after'));
    expect(await run.flush()).toBe(3);
    await run.close();
    const parts = client.db(database).collection('event_parts');
    expect(await parts.countDocuments({ log: `acme/${threadId}` })).toBe(3);
    const [before, written, after] = texts(await readAll(threadId));
    expect([before, after]).toEqual(['before', 'after']);
    expect(written === large).toBe(true);
    await log.deleteThread(caller(), threadId);
    expect(await parts.countDocuments({ log: `acme/${threadId}` })).toBe(0);
  });

  it('lets readers skip an event whose separately stored large text has expired', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    run.append(customEvent('x'.repeat(9 * 2 ** 20)));
    run.append(customEvent('after'));
    await run.close();
    await client
      .db(database)
      .collection('event_parts')
      .deleteMany({ log: `acme/${threadId}` });
    expect(texts(await readAll(threadId))).toEqual(['after']);
  });

  it('stores events in several documents, in order, if they are too large for one document', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    const big = 'x'.repeat(3 * 2 ** 20);
    for (let n = 1; n <= 5; n += 1) run.append(customEvent(`${n} ${big}`));
    expect(await run.flush()).toBe(5);
    for (let n = 6; n <= 2_500; n += 1) run.append(customEvent(n));
    expect(await run.flush()).toBe(2_500);
    await run.close();
    const events = await readAll(threadId);
    expect(offsets(events)).toEqual(upTo(2_500));
    expect(texts(events).slice(5)).toEqual(upTo(2_500).slice(5));
    expect((texts(events)[4] as string).slice(0, 3)).toBe('5 x');
  });

  it('continues the offsets after all events of the thread have expired', async () => {
    const threadId = randomUUID();
    const first = openRun(threadId);
    for (let n = 1; n <= 3; n += 1) first.append(customEvent(n));
    first.append(customEvent({}, CONTROL_EVENTS.ended));
    await first.close();
    await client
      .db(database)
      .collection('events')
      .deleteMany({ log: `acme/${threadId}`, expiresAt: { $exists: true } });
    expect(await log.tail(caller(), threadId)).toBe(4);
    const second = openRun(threadId, { fence: fence(2) });
    second.append(customEvent('after'));
    await second.close();
    expect((await readAll(threadId)).map(({ seq, data }) => [seq, data])).toEqual([[5, '"after"']]);
  });

  it('refuses an append after close', async () => {
    const run = openRun(randomUUID());
    await run.close();
    expect(() => run.append(customEvent(1))).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  it('refuses a tenant or a thread id that is not valid in the key of a document', () => {
    expect(() => openRun('../other')).toThrow('thread id is "../other"; expected a UUID in lower case');
    expect(() => log.open(caller('a/b'), scope(randomUUID()))).toThrow('tenant is "a/b"; expected a DNS label');
  });

  it('starts at offset 1 again after the thread was deleted, even if its last offset was cached before', async () => {
    const threadId = randomUUID();
    const write = async (run: number, count: number) => {
      const writing = openRun(threadId, { fence: fence(run) });
      for (let n = 1; n <= count; n += 1) writing.append(customEvent(n));
      const tail = await writing.flush();
      await writing.close();
      return tail;
    };
    expect(await write(1, 9)).toBe(9);
    expect(await log.tail(caller(), threadId)).toBe(9);
    expect(await write(2, 2)).toBe(11);
    expect(await log.tail(caller(), threadId)).toBe(11);
    await log.deleteThread(caller(), threadId);
    expect(await log.tail(caller(), threadId)).toBe(0);
    expect(await write(1, 2)).toBe(2);
    expect(await log.tail(caller(), threadId)).toBe(2);
  });
});
