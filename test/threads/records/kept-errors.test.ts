import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createThreadStore, ensureIndexes } from '../../../threads/index.js';
import { NO_STATE, caller, fenceOf, newRun, runEnd, runStart } from './support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_kept_errors_${process.pid}`);
const store = createThreadStore({ db, ...NO_STATE });

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

/** Creates a run on a new thread, and admits it. */
async function newAdmitted(overrides = {}): Promise<{ threadId: string; runId: string }> {
  const { threadId } = await store.createThread(caller(), { threadId: randomUUID() });
  const { runId } = (await store.createRun(caller(), newRun(threadId, overrides))).run;
  await store.admitRun(caller(), threadId, runId);
  return { threadId, runId };
}

describe('keepError', () => {
  it('keeps the whole error until the run ends', async () => {
    const { threadId, runId } = await newAdmitted();
    const kept = (text: string) => ({ error: { error: 'E', message: text }, shown: { error: 'E', message: 'cut' } });
    const keep = (text: string, attempt = 1, id = runId) =>
      store.keepError(caller(), threadId, id, { ...kept(text), fence: fenceOf(attempt) });
    const long = 'x'.repeat(5_000_000);
    await store.startRun(caller(), threadId, runId, runStart(0));
    await keep('an earlier error');
    await keep(long);
    expect((await store.getRun(caller(), threadId, runId)).keptError).toEqual(kept(long));
    await expect(keep(long, 1, randomUUID())).rejects.toMatchObject({ code: 'not_found' });
    await store.startRun(caller(), threadId, runId, runStart(0, 2));
    await expect(keep('of an earlier attempt', 1)).rejects.toMatchObject({ code: 'fence_lost' });

    const { error } = kept(long);
    await store.endRun(
      caller(),
      threadId,
      runEnd(runId, { status: 'error', threadStatus: 'error', error, fence: fenceOf(2) }),
    );
    await keep('after the end', 2);
    const ended = await store.getRun(caller(), threadId, runId);
    expect(ended).toMatchObject({ status: 'error', error });
    expect(ended).not.toHaveProperty('keptError');
    const thread = await store.getThread(caller(), threadId);
    expect(thread.error).toEqual({
      error: 'E',
      message: expect.stringMatching(/^x{3900,}… \(5,000,000 characters; the run's record has the whole text\)$/),
    });
  });

  it('cuts a text of more than 6 MB, and keeps none if the record has no room for it', async () => {
    const keep = async ({ threadId, runId }: { threadId: string; runId: string }) => {
      await store.keepError(caller(), threadId, runId, {
        error: { error: 'E', message: 'x'.repeat(20_000_000) },
        shown: { error: 'E', message: 'cut' },
        fence: fenceOf(1),
      });
      return store.getRun(caller(), threadId, runId);
    };
    const { keptError } = await keep(await newAdmitted());
    expect(keptError?.error.message).toHaveLength(6 * 2 ** 20);
    expect(keptError?.error.message.slice(-40)).toMatch(/x… \(20,000,000 characters; cut\)$/);

    const request = { input: 'y'.repeat(12 * 2 ** 20), config: {}, streamModes: [], streamSubgraphs: false };
    expect(await keep(await newAdmitted({ request }))).not.toHaveProperty('keptError');
  });
});
