import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../protocol/index.js';
import { DEFAULT_SETTINGS } from '../../workflows/contract.js';
import type { ConversationInput, PendingInterrupt, StepOutcome, SubmitRun } from '../../workflows/contract.js';
import { ConversationQueue } from '../../workflows/queue.js';
import { cursorAt } from './script.js';

const START = Date.parse('2026-01-01T00:00:00Z');

function makeQueue(input: Partial<ConversationInput> = {}, clock = { now: START }) {
  return new ConversationQueue(
    { tenant: 'acme', threadId: 't', settings: DEFAULT_SETTINGS, ...input },
    () => clock.now,
  );
}

function run(runId: string, options: Partial<SubmitRun> = {}): SubmitRun {
  return { runId, graphId: 'graph', assistantId: 'assistant', strategy: 'enqueue', ...options };
}

/** Starts the next run, and ends it with the outcome of its only step. Returns the run id. */
function work(queue: ConversationQueue, outcome: Partial<StepOutcome> = {}): string {
  const current = queue.take();
  queue.begin(current);
  queue.stepped(current, { status: 'success', nodes: [], next: [], cursor: cursorAt(1), ...outcome });
  return current.run.runId;
}

function asking(...interrupts: (Partial<PendingInterrupt> & { id: string })[]): Partial<StepOutcome> {
  return {
    status: 'interrupted',
    interrupts: interrupts.map((interrupt) => ({ node: 'approve', ...interrupt })),
  };
}

/** Returns a queue whose run `asker` has ended with these questions (open interrupts). */
function askedQueue(...interrupts: (Partial<PendingInterrupt> & { id: string })[]) {
  const clock = { now: START };
  const queue = makeQueue({}, clock);
  queue.submit(run('asker'));
  work(queue, asking(...interrupts));
  return { queue, clock };
}

function refusal(act: () => unknown): [code: string | undefined, message: string] {
  try {
    act();
  } catch (error) {
    return [errorCode(error), (error as Error).message];
  }
  throw new Error('nothing was refused');
}

describe('submit', () => {
  it('queues runs in the order of their arrival, and returns the number of runs before the new run', () => {
    const queue = makeQueue();
    expect(queue.submit(run('r1')).position).toBe(0);
    expect(queue.submit(run('r2')).position).toBe(1);
    const current = queue.take();
    queue.begin(current);
    expect(queue.submit(run('r3')).position).toBe(2);
    expect(queue.view()).toMatchObject({ status: 'busy', current: { runId: 'r1' }, queue: ['r2', 'r3'] });
  });

  it('returns the first run if a later one has the same run id or idempotency key', () => {
    const queue = makeQueue();
    queue.submit(run('r1', { key: 'k' }));
    expect(queue.submit(run('r1', { key: 'k' }))).toEqual({ runId: 'r1', position: 0, duplicate: true });
    expect(queue.submit(run('r2', { key: 'k' }))).toEqual({ runId: 'r1', position: 0, duplicate: true });
    expect(queue.submit(run('r1', { strategy: 'reject' }))).toMatchObject({ duplicate: true });
    expect(queue.view().queue).toEqual(['r1']);
  });

  it('remembers the run ids and idempotency keys of the last runs, as many runs as the setting keyWindow says', () => {
    const queue = makeQueue({ settings: { ...DEFAULT_SETTINGS, keyWindow: 2 } });
    for (const id of ['r1', 'r2', 'r3']) queue.submit(run(id, { key: `key-${id}` }));
    expect(queue.carry().admitted).toEqual([
      ['r2', 'key-r2'],
      ['r3', 'key-r3'],
    ]);
    expect(queue.submit(run('r4', { key: 'key-r1' })).duplicate).toBe(false);
  });

  it('with strategy reject, refuses a run while another run waits or is active (error code conflict)', () => {
    const queue = makeQueue();
    queue.submit(run('r1'));
    expect(refusal(() => queue.submit(run('r2', { strategy: 'reject' })))).toEqual([
      'conflict',
      'thread t is busy with run r1; cannot accept run r2 with strategy reject',
    ]);
    work(queue);
    expect(queue.submit(run('r3', { strategy: 'reject' })).duplicate).toBe(false);
  });

  it('with strategy reject, accepts a run while the only other run is being cancelled', () => {
    const queue = makeQueue();
    queue.submit(run('r1'));
    queue.take();
    queue.cancel({ runIds: ['r1'], action: 'interrupt' });
    expect(queue.submit(run('r2', { strategy: 'reject' }))).toMatchObject({ duplicate: false });
  });

  it.each(['interrupt', 'rollback'] as const)('with strategy %s, marks all other runs as cancelled', (strategy) => {
    const queue = makeQueue();
    for (const id of ['r1', 'r2']) queue.submit(run(id));
    const current = queue.take();
    expect(queue.submit(run('r3', { strategy }))).toEqual({ runId: 'r3', position: 1, duplicate: false });
    expect(current.run.cancelled).toBe(strategy);
    expect(queue.takeCancelled()).toMatchObject({ runId: 'r2', cancelled: strategy });
    expect(queue.takeCancelled()).toBeUndefined();
    expect(queue.view().queue).toEqual(['r3']);
  });

  it('refuses a run if the queue behind the current run has reached its limit (error code queue_full)', () => {
    const queue = makeQueue({ settings: { ...DEFAULT_SETTINGS, queueLimit: 1 } });
    queue.submit(run('r1'));
    queue.submit(run('r2'));
    expect(refusal(() => queue.submit(run('r3')))).toEqual([
      'queue_full',
      'thread t has 2 runs, with room for 1 behind the current one; cannot accept r3',
    ]);
    expect(queue.submit(run('r4', { strategy: 'interrupt' })).duplicate).toBe(false);
    expect(refusal(() => queue.submit(run('r5', { strategy: 'interrupt' })))).toEqual([
      'queue_full',
      'thread t has 3 runs, with room for 2 behind the current one; cannot accept r5',
    ]);
  });

  it('after close, refuses message signals, runs and answers to interrupts (error code thread_closed)', () => {
    const queue = makeQueue();
    queue.submit(run('r1'));
    expect(queue.close()).toEqual({ runIds: ['r1'] });
    expect(refusal(() => queue.submit(run('r2')))).toEqual(['thread_closed', 'thread t is closed; cannot accept r2']);
    expect(refusal(() => queue.resume({ value: 1 }, 'r3'))[0]).toBe('thread_closed');
    expect(refusal(() => queue.message({ input: 'hi' }, 'r4'))[0]).toBe('thread_closed');
    expect(queue.isOver).toBe(false);
    const current = queue.take();
    queue.ended(current.run, { status: 'interrupted' });
    expect(queue.isOver).toBe(true);
  });

  it('accepts a run with command.resume although no question is open, as LangGraph’s server does; refuses a second one', () => {
    const queue = makeQueue();
    expect(queue.submit(run('r1', { resumes: true })).duplicate).toBe(false);
    expect(refusal(() => queue.submit(run('r2', { resumes: true })))).toEqual([
      'conflict',
      'thread t is being answered by run r1; cannot accept answer r2',
    ]);
  });
});

describe('the questions that interrupts ask', () => {
  it('if only one question is open, an answer needs no question id, and a second answer is refused', () => {
    const { queue } = askedQueue({ id: 'i1' });
    expect(queue.view()).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1' }] });
    expect(queue.resume({ value: 'yes' }, 'r1')).toEqual({ runId: 'r1' });
    expect(queue.view().interrupts).toEqual([]);
    expect(refusal(() => queue.resume({ interruptId: 'i1', value: 'no' }, 'r2'))).toEqual([
      'conflict',
      'thread t has an answer to interrupt i1 already: run r1',
    ]);
    expect(refusal(() => queue.resume({ value: 'no' }, 'r2'))[0]).toBe('conflict');
    queue.begin(queue.take());
    expect(refusal(() => queue.resume({ value: 'no' }, 'r2'))).toEqual([
      'conflict',
      'thread t has no open question; there is nothing to answer',
    ]);
  });

  it('must be named by id if several are open; an answer to one question leaves the other questions open', () => {
    const { queue } = askedQueue({ id: 'i1' }, { id: 'i2' });
    expect(refusal(() => queue.resume({ value: 'yes' }, 'r1'))).toEqual([
      'conflict',
      'thread t has 2 open questions; name one as interruptId: i1, i2',
    ]);
    expect(refusal(() => queue.resume({ interruptId: 'i9', value: 'yes' }, 'r1'))).toEqual([
      'conflict',
      'thread t does not wait for interrupt i9; open: i1, i2',
    ]);
    queue.resume({ interruptId: 'i1', value: 'yes' }, 'r1');
    const current = queue.take();
    queue.begin(current);
    expect(queue.view().interrupts.map(({ id }) => id)).toEqual(['i2']);
    queue.resume({ interruptId: 'i2', value: 'yes' }, 'r2');
    queue.stepped(current, {
      status: 'interrupted',
      nodes: [],
      next: [],
      interrupts: [{ id: 'i2', node: 'n' }],
    });
    expect(queue.view()).toMatchObject({ queue: ['r2'], interrupts: [] });
    expect(work(queue)).toBe('r2');
    expect(queue.view().status).toBe('idle');
  });

  it('are not opened if an edit of the state has closed them before the result of their step arrives', () => {
    const queue = makeQueue();
    queue.submit(run('asker'));
    const current = queue.take();
    queue.begin(current);
    queue.edited({ closed: ['i1', 'i3'], status: 'idle' });
    const asked = asking({ id: 'i1' }, { id: 'i2' });
    queue.stepped(current, { nodes: [], next: [], cursor: cursorAt(1), status: 'interrupted', ...asked });
    expect(queue.view()).toMatchObject({ status: 'idle', interrupts: [{ id: 'i2' }] });
  });

  it('are opened although an edit has closed them, if the replayed history is from a release that ignored such edits', () => {
    const queue = makeQueue();
    queue.submit(run('asker'));
    const current = queue.take();
    queue.begin(current);
    queue.edited({ closed: ['i1'], status: 'idle' }, () => false);
    queue.stepped(current, {
      nodes: [],
      next: [],
      cursor: cursorAt(1),
      status: 'interrupted',
      ...asking({ id: 'i1' }),
    });
    expect(queue.view()).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1' }] });
  });

  it('cannot be answered while a run with new input waits, because that run will close them first', () => {
    const { queue } = askedQueue({ id: 'i1' });
    queue.submit(run('r1'));
    expect(refusal(() => queue.resume({ value: 'yes' }, 'r2'))).toEqual([
      'conflict',
      'thread t has run r1 before the answer',
    ]);
    expect(work(queue)).toBe('r1');
    expect(queue.view()).toMatchObject({ status: 'idle', interrupts: [] });
  });

  it('are opened again if the run that closed them is rolled back, refused or skipped', () => {
    const { queue } = askedQueue({ id: 'i1' });
    queue.submit(run('r1'));
    const current = queue.take();
    queue.begin(current);
    expect(queue.view().interrupts).toEqual([]);
    queue.cancel({ runIds: ['r1'], action: 'rollback' });
    queue.ended(
      current.run,
      { status: 'interrupted' },
      { cursor: cursorAt(1), threadStatus: 'interrupted', interrupts: [{ id: 'i1', node: 'ask' }] },
    );
    expect(queue.view()).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1' }] });

    queue.resume({ value: 'yes' }, 'r2');
    queue.drop(queue.take().run);
    expect(queue.view().interrupts).toHaveLength(1);

    queue.submit(run('r3'));
    work(queue, { status: 'skipped' });
    expect(queue.view()).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1' }], last: { runId: 'r1' } });
  });

  it('accept a new answer after the waiting answer was cancelled', () => {
    const { queue } = askedQueue({ id: 'i1' });
    queue.resume({ value: 'yes' }, 'r1');
    queue.cancel({ runIds: ['r1'], action: 'interrupt' });
    expect(queue.resume({ value: 'no' }, 'r2')).toEqual({ runId: 'r2' });
  });

  it('put a run into the queue at their deadline; the run names the question, but does not contain the default answer', () => {
    const deadline = new Date(START + 5_000).toISOString();
    // A step reports the default answer to the queue only if its worker is configured to show
    // questions in Temporal, or runs an older version of Colloquy. Even then, the queued run must
    // not contain the answer.
    const { queue, clock } = askedQueue({ id: 'i1', deadline, defaultAnswer: 'reject' }, { id: 'i2' });
    expect(queue.untilDeadline()).toBe(5_000);
    clock.now += 4_999;
    queue.answerByDefault(() => 'r1');
    expect(queue.hasWork).toBe(false);
    clock.now += 1;
    queue.answerByDefault(() => 'r1');
    expect(queue.unrecorded()).toEqual([
      {
        runId: 'r1',
        graphId: '',
        assistantId: 'assistant',
        answers: 'i1',
        unrecorded: { resume: { interruptId: 'i1' }, byDeadline: true },
      },
    ]);
    queue.drop(queue.take().run);
    expect(queue.untilDeadline()).toBeUndefined();
    expect(queue.view().interrupts.map(({ id }) => id)).toEqual(['i1', 'i2']);
  });

  it('keep their first deadline if a later step asks them again', () => {
    const deadline = new Date(START + 5_000).toISOString();
    const { queue } = askedQueue({ id: 'i1' }, { id: 'i2', deadline });
    queue.resume({ interruptId: 'i1', value: 1 }, 'r1');
    work(queue, asking({ id: 'i2', deadline: new Date(START + 9_000).toISOString() }));
    expect(queue.untilDeadline()).toBe(5_000);
  });

  it('have no deadline if the graph gives an invalid one', () => {
    const { queue } = askedQueue({ id: 'i1', deadline: 'soon' });
    expect(queue.untilDeadline()).toBeUndefined();
  });
});

describe('cancelling runs in the queue', () => {
  it('returns the ids of the cancelled runs; a run cancelled with rollback stays so after a later cancel with interrupt', () => {
    const queue = makeQueue();
    for (const id of ['r1', 'r2', 'r3']) queue.submit(run(id));
    queue.take();
    expect(queue.cancel({ runIds: ['r1', 'r3', 'gone'], action: 'rollback' })).toEqual({ runIds: ['r1', 'r3'] });
    expect(queue.cancel({ runIds: 'all', action: 'interrupt' })).toEqual({ runIds: ['r1', 'r2', 'r3'] });
    expect(queue.takeCancelled()).toMatchObject({ runId: 'r2', cancelled: 'interrupt' });
    expect(queue.takeCancelled()).toMatchObject({ runId: 'r3', cancelled: 'rollback' });
  });
});

describe('a run that a message signal starts', () => {
  it('takes the id of a stored run with the same idempotency key, or is a duplicate if the queue knows that id', () => {
    const queue = makeQueue();
    queue.message({ input: 'hi', key: 'k1' }, 'r1');
    const { run: first } = queue.take();
    const as = (runId: string) => ({ runId, graphId: 'graph', assistantId: 'assistant' });
    expect(queue.recorded(first, as('earlier'))).toBe(true);
    expect(first).toEqual(as('earlier'));
    expect(queue.submit(run('r2', { key: 'k1' }))).toMatchObject({ runId: 'earlier', duplicate: true });

    queue.message({ input: 'hi', key: 'k2' }, 'r3');
    const [second] = queue.unrecorded();
    expect(second && queue.recorded(second, as('earlier'))).toBe(false);
  });

  it('does not keep its idempotency key if it is refused: a later message can use the key', () => {
    const queue = makeQueue();
    queue.message({ input: 'hi', key: 'k' }, 'r1');
    queue.drop(queue.take().run);
    expect(queue.message({ input: 'hi', key: 'k' }, 'r2')).toEqual({ runId: 'r2', position: 0, duplicate: false });
  });
});

describe('the ordinal of a run (the first part of its fence)', () => {
  it('starts from the current time in seconds, grows by one with each run, and can be raised above another ordinal', () => {
    const queue = makeQueue();
    const seconds = START / 1000;
    queue.submit(run('r1'));
    queue.submit(run('r2'));
    const first = queue.take();
    expect(first.ordinal).toBe(seconds + 1);
    queue.ended(first.run, { status: 'error' });
    const second = queue.take();
    expect(second.ordinal).toBe(seconds + 2);
    queue.raiseOrdinal(second, seconds + 100);
    expect(second.ordinal).toBe(seconds + 101);
    expect(queue.carry().ordinal).toBe(seconds + 101);
  });
});
