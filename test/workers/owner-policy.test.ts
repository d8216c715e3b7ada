import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Policy } from '../../policy/index.js';
import { ColloquyError, type Caller } from '../../protocol/index.js';
import { openStores, type Stores } from '../../workers/index.js';

/**
 * An example of a custom policy: only the user who created a record may use it. Everything without
 * an owner, such as a record that does not exist yet, is open to all users.
 */
const ownersOnly: Policy = async ({ principal }, action, { kind, id }, attributes) => {
  const owner = (await attributes())?.owner?.principal;
  if (owner === undefined || owner.id === principal.id) return;
  throw new ColloquyError('forbidden', `${action} of ${kind} ${id} is for ${owner.id} only`);
};

const callerOf = (id: string): Caller => ({ tenant: 'acme', principal: { kind: 'user', id }, onBehalfOf: [] });
const [ada, bob] = [callerOf('ada'), callerOf('bob')];

describe('a policy that opens a record only to its owner, the user who created it', () => {
  let stores: Stores;
  const threadId = randomUUID();
  const runId = randomUUID();
  const assistantId = randomUUID();

  beforeAll(async () => {
    const uri = process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '';
    const mongo = { uri, isGiven: true, database: `owner_policy_${process.pid}` };
    stores = await openStores({ mongo, retention: { eventsMs: 3_600_000 } }, { policy: ownersOnly });
    await stores.assistants.registerGraphs(ada, [{ graphId: 'echo' }]);
    await stores.threads.createThread(ada, { threadId });
    await stores.threads.createRun(ada, {
      threadId,
      runId,
      assistantId,
      graphId: 'echo',
      multitaskStrategy: 'enqueue',
      metadata: {},
      request: { config: {}, streamModes: ['values'], streamSubgraphs: false },
    });
  });
  afterAll(async () => {
    await stores.db.dropDatabase();
    await stores.close();
  });

  it('lets the owner read the thread, its run and its events', async () => {
    expect(await stores.threads.getThread(ada, threadId)).toMatchObject({ threadId });
    expect(await stores.threads.getRun(ada, threadId, runId, { admittedOnly: false })).toMatchObject({ runId });
    expect(await stores.events.tail(ada, threadId)).toBe(0);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['reading the thread', () => stores.threads.getThread(bob, threadId)],
    ['changing the thread', () => stores.threads.updateThread(bob, threadId, { metadata: { by: 'bob' } })],
    ['deleting the thread', () => stores.threads.deleteThread(bob, threadId)],
    ['reading the run', () => stores.threads.getRun(bob, threadId, runId, { admittedOnly: false })],
    ['reading the events', () => stores.events.tail(bob, threadId)],
    ['opening the state', () => stores.savers.openReader(bob, threadId)],
    ['reading the head', () => stores.heads.readHead(bob, threadId)],
  ])('forbids this action to another user: %s', async (_what, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('for ada only') });
  });

  it('lets another user create and read a thread of their own', async () => {
    const own = randomUUID();
    await stores.threads.createThread(bob, { threadId: own });
    expect(await stores.threads.getThread(bob, own)).toMatchObject({ threadId: own });
  });
});
