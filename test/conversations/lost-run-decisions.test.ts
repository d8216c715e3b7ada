import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { completeConversations, type ConversationExecution, type Conversations } from '../../conversations/index.js';
import { endLostRuns } from '../../conversations/lost-runs.js';
import { ColloquyError, NO_FENCE, encodeFence, serviceCaller, type Run } from '../../protocol/index.js';
import type { StateAccess } from '../../steps/ports.js';
import { openStores, type Stores } from '../../workers/stores.js';
import type { ConversationView } from '../../workflows/contract.js';
import { newRun } from '../threads/records/support.js';

const TENANT = 'acme';
const CALLER = serviceCaller(TENANT, 'test');
const ENDED_AT = new Date('2026-05-01T12:00:00.900Z');
const TERMINATED: ConversationExecution = { isOpen: false, ending: 'terminated', endedAt: ENDED_AT };
const OPEN: ConversationExecution = { isOpen: true, executionId: 'first', isSettling: false };
const EMPTY: Omit<ConversationView, 'threadId'> = {
  status: 'idle',
  queue: [],
  interrupts: [],
  turns: 1,
  closed: false,
  notes: [],
};

let stores: Stores;

beforeAll(async () => {
  const uri = process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '';
  const mongo = { uri, isGiven: true, database: `lost_runs_${process.pid}` };
  stores = await openStores({ mongo, retention: { eventsMs: 3_600_000 } });
});
afterAll(async () => {
  await stores.db.dropDatabase();
  await stores.close();
});

interface Temporal {
  /** What `describe` returns: one value for each call, the last one for all further calls. */
  executions: ConversationExecution[];
  view?: (threadId: string, run: Run) => Partial<ConversationView>;
  /** Called during each `describe`, as another process may change records at that time. */
  meanwhile?: (run: Run) => Promise<unknown>;
}

async function newThread(): Promise<string> {
  const { threadId } = await stores.threads.createThread(CALLER, { threadId: randomUUID() });
  return threadId;
}

async function newRunOn(threadId: string, { isAdmitted = true } = {}): Promise<Run> {
  const { run } = await stores.threads.createRun(CALLER, newRun(threadId));
  if (isAdmitted) await stores.threads.admitRun(CALLER, threadId, run.runId);
  return stores.threads.getRun(CALLER, threadId, run.runId, { admittedOnly: false });
}

/** Looks for lost runs of the thread of `run`, while Temporal answers as the test says. */
function search(run: Run, { executions, view, meanwhile }: Temporal, named: string[] = []): Promise<string[]> {
  const left = [...executions];
  const conversations: Pick<Conversations, 'describe' | 'view'> = {
    describe: async () => {
      await meanwhile?.(run);
      const [next = TERMINATED] = left.length > 1 ? left.splice(0, 1) : left;
      return next;
    },
    view: async (_caller, threadId) => ({ threadId, ...EMPTY, ...view?.(threadId, run) }),
  };
  const getState: StateAccess['getState'] = async () => {
    throw new ColloquyError('graph_failed', 'the graph does not load');
  };
  const context = completeConversations({
    ...stores,
    conversations: conversations as Conversations,
    states: { getState } as StateAccess,
    graphs: {} as never,
    schedules: {} as never,
  });
  return endLostRuns(context, TENANT, run.threadId, { named });
}

async function statusOf({ threadId, runId }: Run): Promise<string> {
  return (await stores.threads.getRun(CALLER, threadId, runId, { admittedOnly: false })).status;
}

const fence = (run: number) => encodeFence({ run, step: 1, attempt: 1 });
const current = (runId: string) => ({ current: { runId, assistantId: 'a', step: 1, nodes: [] } });

describe('the search for lost runs', () => {
  it.each<[string, Temporal]>([
    ['executes it', { executions: [OPEN], view: (_, { runId }) => current(runId) }],
    ['has it in its queue', { executions: [OPEN], view: (_, { runId }) => ({ queue: [runId] }) }],
    ['delays it', { executions: [OPEN], view: (_, { runId }) => ({ delayed: [{ runId, at: '2030-01-01' }] }) }],
    ['holds it as a message', { executions: [OPEN], view: (_, { runId }) => ({ injected: [runId] }) }],
    ['has an event to handle or ends a run', { executions: [OPEN, { ...OPEN, isSettling: true }] }],
    ['was followed by another execution meanwhile', { executions: [OPEN, { ...OPEN, executionId: 'second' }] }],
    ['ended only after it was asked', { executions: [OPEN, TERMINATED] }],
  ])('leaves a run alone whose conversation %s', async (_case, temporal) => {
    const run = await newRunOn(await newThread());
    expect(await search(run, temporal)).toEqual([]);
    expect(await statusOf(run)).toBe('pending');
  });

  it('ends a run that a settled open conversation does not know, and one that settles later', async () => {
    const settled = await newRunOn(await newThread());
    expect(await search(settled, { executions: [OPEN] })).toEqual([settled.runId]);
    const later = await newRunOn(await newThread());
    expect(await search(later, { executions: [OPEN, { ...OPEN, isSettling: true }, OPEN] })).toEqual([later.runId]);
  });

  it('leaves a run alone that starts again, or ends, while Temporal is asked', async () => {
    const started = await newRunOn(await newThread());
    const start = ({ threadId, runId }: Run) =>
      stores.threads.startRun(CALLER, threadId, runId, { afterSeq: 0, fence: fence(7) });
    expect(await search(started, { executions: [TERMINATED], meanwhile: start })).toEqual([]);
    expect(await statusOf(started)).toBe('running');

    const ended = await newRunOn(await newThread());
    const end = ({ threadId, runId }: Run) =>
      stores.threads.endRun(CALLER, threadId, {
        runId,
        fence: fence(7),
        status: 'success',
        threadStatus: 'idle',
        interrupts: {},
      });
    expect(await search(ended, { executions: [TERMINATED], meanwhile: end })).toEqual([]);
    expect(await statusOf(ended)).toBe('success');
  });

  it('leaves a run alone that may not be submitted yet, unless a client names it', async () => {
    const run = await newRunOn(await newThread(), { isAdmitted: false });
    expect(await search(run, { executions: [TERMINATED] })).toEqual([]);
    expect(await statusOf(run)).toBe('pending');
    expect(await search(run, { executions: [TERMINATED] }, [run.runId])).toEqual([run.runId]);
    expect(await statusOf(run)).toBe('error');
  });

  it('of an ended conversation raises the fence above its steps and below those of a later one', async () => {
    const run = await newRunOn(await newThread());
    const { threadId } = run;
    const endSeconds = Math.floor(ENDED_AT.getTime() / 1000);
    await search(run, { executions: [TERMINATED] });
    await expect(stores.heads.raiseFence(CALLER, threadId, fence(endSeconds))).rejects.toMatchObject({
      code: 'fence_lost',
    });
    await stores.heads.raiseFence(CALLER, threadId, fence(endSeconds + 1));
    const log = stores.events.open(CALLER, { threadId, runId: run.runId, fence: fence(endSeconds), tail: 0 });
    log.append({ ns: '', event: 'values', data: '{}' });
    await expect(log.close()).rejects.toMatchObject({ code: 'fence_lost' });
  });

  it('of an open conversation stops neither its run nor its event log, and keeps the status of the thread', async () => {
    const threadId = await newThread();
    const lost = await newRunOn(threadId);
    const working = await newRunOn(threadId);
    await stores.threads.startRun(CALLER, threadId, working.runId, { afterSeq: 0, fence: fence(7) });
    const log = stores.events.open(CALLER, { threadId, runId: working.runId, fence: fence(7), tail: 0 });
    log.append({ ns: '', event: 'values', data: '{}' });
    await log.flush();
    const view = () => current(working.runId);
    expect(await search(lost, { executions: [OPEN], view })).toEqual([lost.runId]);
    log.append({ ns: '', event: 'values', data: '{}' });
    await log.close();
    const events = await stores.events.read(CALLER, threadId, { afterSeq: 0 });
    expect(events.map(({ event, runId }) => [event, runId === lost.runId])).toEqual([
      ['values', false],
      ['error', true],
      ['run.ended', true],
      ['values', false],
    ]);
    expect((await stores.heads.readHead(CALLER, threadId)).fence).toBe(NO_FENCE);
    expect((await stores.threads.getThread(CALLER, threadId)).status).toBe('busy');
  });

  it('leaves the status of the thread alone if a newer run has ended well', async () => {
    const threadId = await newThread();
    const lost = await newRunOn(threadId);
    const { runId } = await newRunOn(threadId);
    await stores.threads.startRun(CALLER, threadId, runId, { afterSeq: 0, fence: fence(7) });
    const end = { runId, fence: fence(7), status: 'success', threadStatus: 'idle', interrupts: {} } as const;
    await stores.threads.endRun(CALLER, threadId, end);
    expect(await search(lost, { executions: [OPEN] })).toEqual([lost.runId]);
    expect((await stores.threads.getThread(CALLER, threadId)).status).toBe('idle');
  });
});
