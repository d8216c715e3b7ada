import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { encodeFence, type Caller } from '../../protocol/index.js';
import { createEventLog, ensureIndexes, type EventLog } from '../../streams/index.js';

const caller: Caller = { tenant: 'acme', principal: { kind: 'user', id: 'u1' }, onBehalfOf: [] };

describe('an event that belongs to a thread, but to no run', () => {
  const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
  const db = client.db(`test_thread_events_${process.pid}`);
  let log: EventLog;

  beforeAll(async () => {
    await client.connect();
    await ensureIndexes(db);
    log = createEventLog({ db });
  });
  afterAll(async () => {
    await log.close();
    await db.dropDatabase();
    await client.close();
  });

  it('gets the next offset, and a run whose log is open can still write events after it', async () => {
    const threadId = randomUUID();
    const runId = randomUUID();
    const edit = (n: number) => log.append(caller, threadId, { ns: '', event: 'state_update', data: `{"n":${n}}` });
    expect(await edit(1)).toBe(1);
    const run = log.open(caller, { threadId, runId, fence: encodeFence({ run: 3, step: 2, attempt: 1 }) });
    run.append({ ns: '', event: 'values', data: '{}' });
    expect(await run.flush()).toBe(2);
    expect(await edit(2)).toBe(3);
    run.append({ ns: '', event: 'values', data: '{}' });
    expect(await run.flush()).toBe(4);
    await run.close();
    const events = await log.read(caller, threadId, { afterSeq: 0 });
    expect(events.map(({ seq, runId: by, event }) => [seq, by, event])).toEqual([
      [1, '', 'state_update'],
      [2, runId, 'values'],
      [3, '', 'state_update'],
      [4, runId, 'values'],
    ]);
  });

  it('gets an offset of its own if other events are appended concurrently', async () => {
    const threadId = randomUUID();
    const offsets = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        log.append(caller, threadId, { ns: '', event: 'state_update', data: `${n}` }),
      ),
    );
    expect(offsets.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
