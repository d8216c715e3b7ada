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
  said,
  scope,
  texts,
  upTo,
} from './support.js';

const { database, log, client, openRun } = await ownEventLog('writing');

/** Reads on until there is no more: what is large comes in several answers. */
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
    for (let n = 1; n <= 5; n += 1) run.append(said(n));
    expect(await run.flush()).toBe(5);
    for (let n = 6; n <= 8; n += 1) run.append(said(n));
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

  it('sends events without a flush', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    run.append(said('first'));
    expect(texts(await collect(log, threadId, 1))).toEqual(['first']);
    run.append(said('second'));
    expect(texts(await collect(log, threadId, 1, 1))).toEqual(['second']);
    await run.close();
  });

  it('answers the tail from a flush with nothing to write', async () => {
    const threadId = randomUUID();
    expect(await openRun(threadId).flush()).toBe(0);
    const run = openRun(threadId);
    run.append(said(1));
    await run.close();
    expect(await openRun(threadId, { fence: fence(2) }).flush()).toBe(1);
    expect(await log.tail(caller(), threadId)).toBe(1);
  });

  it('writes nothing before it may begin', async () => {
    const threadId = randomUUID();
    let begin: () => void = () => undefined;
    const run = openRun(threadId, { tail: 0, begins: new Promise<void>((resolve) => (begin = resolve)) });
    run.append(said(1));
    const flushed = run.flush();
    // Another log that is flushed takes along what all logs have.
    const other = openRun(randomUUID());
    other.append(said('other'));
    await other.close();
    expect(await readAll(threadId)).toEqual([]);
    begin();
    expect(await flushed).toBe(1);
    expect(texts(await readAll(threadId))).toEqual([1]);
    await run.close();
  });

  it('says why it may not begin', async () => {
    const begins = Promise.reject(new ColloquyError('unavailable', 'not recorded'));
    const run = openRun(randomUUID(), { begins });
    run.append(said(1));
    await expect(run.flush()).rejects.toMatchObject({ code: 'unavailable', message: 'not recorded' });
    await expect(run.close()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('writes an event, and what comes behind it, once what it stands on is stored', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    run.append(said(1));
    expect(await run.flush()).toBe(1);
    let store: () => void = () => undefined;
    run.append(said(2));
    run.append({ ...said(3), after: new Promise<void>((resolve) => (store = resolve)) });
    run.append(said(4));
    const all = run.flush();
    expect(texts(await collect(log, threadId, 2))).toEqual([1, 2]);
    const other = openRun(randomUUID());
    other.append(said('other'));
    await other.close();
    expect(texts(await readAll(threadId))).toEqual([1, 2]);
    store();
    expect(await all).toBe(4);
    expect(texts(await readAll(threadId))).toEqual([1, 2, 3, 4]);
    await run.close();
  });

  it('ends with the error of what an event stands on', async () => {
    const run = openRun(randomUUID());
    run.append({ ...said(1), after: Promise.reject(new ColloquyError('fence_lost', 'not stored')) });
    await expect(run.flush()).rejects.toMatchObject({ code: 'fence_lost', message: 'not stored' });
    await expect(run.close()).rejects.toMatchObject({ code: 'fence_lost' });
  });

  it('goes on after events that came since its tail was known', async () => {
    const threadId = randomUUID();
    const early = openRun(threadId, { tail: 0 });
    early.append(said('a'));
    early.append(said('b'));
    await early.close();
    const late = openRun(threadId, { fence: fence(2), tail: 0 });
    late.append(said('c'));
    expect(await late.flush()).toBe(3);
    await late.close();
    expect(texts(await readAll(threadId))).toEqual(['a', 'b', 'c']);
  });

  it('stops a writer when a higher fence has written', async () => {
    const threadId = randomUUID();
    const old = openRun(threadId, { fence: fence(1, 1, 1), tail: 0 });
    old.append(said('old 1'));
    await old.flush();
    const next = openRun(threadId, { fence: fence(1, 1, 2) });
    next.append(said('new 1'));
    await next.flush();
    old.append(said('old 2'));
    await expect(old.flush()).rejects.toMatchObject({ code: 'fence_lost' });
    old.append(said('old 3'));
    await expect(old.flush()).rejects.toMatchObject({ code: 'fence_lost' });
    await expect(old.close()).rejects.toMatchObject({ code: 'fence_lost' });
    await next.close();
    expect(texts(await readAll(threadId))).toEqual(['old 1', 'new 1']);
  });

  it('refuses a writer that comes with a lower fence than the last event has', async () => {
    const threadId = randomUUID();
    const owner = openRun(threadId, { fence: fence(2) });
    owner.append(said(1));
    await owner.close();
    const late = openRun(threadId, { fence: fence(1) });
    late.append(said('late'));
    await expect(late.close()).rejects.toMatchObject({ code: 'fence_lost' });
  });

  it('lets the higher of two racing fences win, without a gap or a doubled offset', async () => {
    const threadId = randomUUID();
    const other = await openEventLog(database);
    const write = async (run: RunLog, name: string, count: number): Promise<string | undefined> => {
      try {
        for (let n = 1; n <= count; n += 1) {
          run.append(said(`${name} ${n}`));
          if (n % 3 !== 0) continue;
          await run.flush();
          // A step does not write all the time.
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
    const told = texts(events) as string[];
    const old = told.filter((text) => text.startsWith('old'));
    expect(old).toEqual(old.map((_, index) => `old ${index + 1}`));
    expect(told.slice(old.length)).toEqual(upTo(60).map((n) => `new ${n}`));
  });

  it('writes an event once when the answer to its insert was lost', async () => {
    const server = await proxiedServer();
    const through = await openEventLog(database, { address: server.address, client: { retryWrites: false } });
    const threadId = randomUUID();
    const run = through.log.open(caller(), scope(threadId));
    for (let n = 1; n <= 30; n += 1) {
      if (n % 5 === 0) server.loseAnswerTo('insert');
      run.append(said(n));
      if (n % 2 === 0) await run.flush();
    }
    await run.close();
    expect(server.lost()).toBeGreaterThanOrEqual(5);
    await through.close();
    await server.close();
    const events = await readAll(threadId);
    expect(texts(events)).toEqual(upTo(30));
    expect(offsets(events)).toEqual(upTo(30));
  });

  it('waits for a database that is away and then writes everything', async () => {
    const server = await proxiedServer();
    const through = await openEventLog(database, {
      address: server.address,
      client: { serverSelectionTimeoutMS: 200, retryWrites: false },
    });
    const threadId = randomUUID();
    const run = through.log.open(caller(), scope(threadId));
    run.append(said(1));
    await run.flush();
    server.refuse();
    run.append(said(2));
    const flushed = run.flush();
    run.append(said(3));
    server.restore();
    expect(await flushed).toBeGreaterThanOrEqual(2);
    await run.close();
    await through.close();
    await server.close();
    expect(texts(await readAll(threadId))).toEqual([1, 2, 3]);
  });

  it('writes an event again whose connection was cut while the socket still held a part of it', async () => {
    const server = await proxiedServer();
    const through = await openEventLog(database, { address: server.address, client: { retryWrites: false } });
    const threadId = randomUUID();
    const run = through.log.open(caller(), scope(threadId, { tail: 0 }));
    const stopped = server.stopReadingAt('insert');
    const text = 'x'.repeat(12_000_000); // more than the buffers of both sockets take
    run.append(said(text));
    const flushed = run.flush();
    await stopped;
    server.cut();
    expect(await flushed).toBe(1);
    await run.close();
    await through.close();
    await server.close();
    expect(texts(await readAll(threadId))).toEqual([text]);
  });

  it('gives up on a database that is away once its signal fires', async () => {
    const server = await proxiedServer();
    const through = await openEventLog(database, {
      address: server.address,
      client: { serverSelectionTimeoutMS: 200 },
    });
    const end = new AbortController();
    const run = through.log.open(caller(), scope(randomUUID(), { signal: end.signal, tail: 0 }));
    server.refuse();
    run.append(said(1));
    const flushed = expect(run.flush()).rejects.toMatchObject({ code: 'unavailable' });
    end.abort();
    await flushed;
    await through.close();
    await server.close();
  });

  it('keeps events of any size, in order, until their thread is deleted', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    // Characters of three bytes and of two code units, so that parts end in the middle of one.
    const large = '€🦉'.repeat(3 * 2 ** 20);
    run.append(said('before'));
    run.append(said(large));
    run.append(said('after'));
    expect(await run.flush()).toBe(3);
    await run.close();
    const parts = client.db(database).collection('event_parts');
    expect(await parts.countDocuments({ log: `acme/${threadId}` })).toBe(3);
    const [before, told, after] = texts(await readAll(threadId));
    expect([before, after]).toEqual(['before', 'after']);
    expect(told === large).toBe(true);
    await log.deleteThread(caller(), threadId);
    expect(await parts.countDocuments({ log: `acme/${threadId}` })).toBe(0);
  });

  it('passes over an event whose text has expired', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    run.append(said('x'.repeat(9 * 2 ** 20)));
    run.append(said('after'));
    await run.close();
    await client
      .db(database)
      .collection('event_parts')
      .deleteMany({ log: `acme/${threadId}` });
    expect(texts(await readAll(threadId))).toEqual(['after']);
  });

  it('splits what does not fit one document, in order', async () => {
    const threadId = randomUUID();
    const run = openRun(threadId);
    const big = 'x'.repeat(3 * 2 ** 20);
    for (let n = 1; n <= 5; n += 1) run.append(said(`${n} ${big}`));
    expect(await run.flush()).toBe(5);
    for (let n = 6; n <= 2_500; n += 1) run.append(said(n));
    expect(await run.flush()).toBe(2_500);
    await run.close();
    const events = await readAll(threadId);
    expect(offsets(events)).toEqual(upTo(2_500));
    expect(texts(events).slice(5)).toEqual(upTo(2_500).slice(5));
    expect((texts(events)[4] as string).slice(0, 3)).toBe('5 x');
  });

  it('keeps counting after all events of the thread have expired', async () => {
    const threadId = randomUUID();
    const first = openRun(threadId);
    for (let n = 1; n <= 3; n += 1) first.append(said(n));
    first.append(said({}, CONTROL_EVENTS.ended));
    await first.close();
    await client
      .db(database)
      .collection('events')
      .deleteMany({ log: `acme/${threadId}`, expiresAt: { $exists: true } });
    expect(await log.tail(caller(), threadId)).toBe(4);
    const second = openRun(threadId, { fence: fence(2) });
    second.append(said('after'));
    await second.close();
    expect((await readAll(threadId)).map(({ seq, data }) => [seq, data])).toEqual([[5, '"after"']]);
  });

  it('refuses appends after its close', async () => {
    const run = openRun(randomUUID());
    await run.close();
    expect(() => run.append(said(1))).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  it('refuses a tenant or a thread that could break out of its keys', () => {
    expect(() => openRun('../other')).toThrow('thread id is "../other"; expected a UUID in lower case');
    expect(() => log.open(caller('a/b'), scope(randomUUID()))).toThrow('tenant is "a/b"; expected a DNS label');
  });

  it('begins anew after a deletion, although it knows where the log went on', async () => {
    const threadId = randomUUID();
    const write = async (run: number, count: number) => {
      const writing = openRun(threadId, { fence: fence(run) });
      for (let n = 1; n <= count; n += 1) writing.append(said(n));
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
