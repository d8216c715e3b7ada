import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../protocol/index.js';
import { DEFAULT_SETTINGS, type SubmitRun } from '../../workflows/contract.js';
import { describeConversation } from '../../workflows/details.js';
import { ConversationQueue } from '../../workflows/queue.js';
import { inEveryMode, refusal } from './harness.js';
import { cursorAt, gate, goOn, done } from './script.js';

const START = Date.parse('2026-01-01T00:00:00Z');
const HOUR = 3_600_000;

function makeQueue(options: { queueLimit?: number; ephemeral?: boolean } = {}) {
  const clock = { now: START };
  const { queueLimit = 100, ephemeral = false } = options;
  const input = { tenant: 'acme', threadId: 't', settings: { ...DEFAULT_SETTINGS, queueLimit }, ephemeral };
  return { clock, input, queue: new ConversationQueue(input, () => clock.now) };
}

function run(runId: string, options: Partial<SubmitRun> = {}): SubmitRun {
  return { runId, graphId: 'graph', assistantId: 'assistant', strategy: 'enqueue', ...options };
}

const later = (runId: string, hours: number, options: Partial<SubmitRun> = {}) =>
  run(runId, { notBefore: new Date(START + hours * HOUR).toISOString(), ...options });

function work(queue: ConversationQueue): string {
  const current = queue.take();
  queue.begin(current);
  queue.stepped(current, { status: 'success', nodes: [], next: [], cursor: cursorAt(1) });
  return current.run.runId;
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return errorCode(error);
  }
  return undefined;
}

describe('a delayed run', () => {
  it('does not delay other runs, and joins the end of the queue when it is due', () => {
    const { queue, clock } = makeQueue();
    expect(queue.submit(later('r1', 2))).toEqual({ runId: 'r1', position: 0, duplicate: false });
    queue.submit(later('r2', 1));
    expect([queue.hasWork, queue.untilDue(), queue.nextDueAt]).toEqual([false, HOUR, START + HOUR]);
    queue.submit(run('r3'));
    expect(work(queue)).toBe('r3');
    queue.submit(run('r4'));
    clock.now += HOUR;
    queue.submit(run('r5'));
    expect([work(queue), work(queue), work(queue)]).toEqual(['r4', 'r2', 'r5']);
    expect([queue.hasWork, queue.untilDue()]).toEqual([false, HOUR]);
    clock.now += HOUR;
    expect([queue.hasWork, work(queue)]).toEqual([true, 'r1']);
    expect(queue.untilDue()).toBeUndefined();
  });

  it('starts at once if its planned start time has passed already', () => {
    const { queue } = makeQueue();
    queue.submit(later('r1', -1));
    expect(work(queue)).toBe('r1');
  });

  it('appears in the view and in the summary of the idle conversation, with its planned start time', () => {
    const { queue } = makeQueue();
    queue.submit(later('r1', 1));
    expect(queue.view()).toMatchObject({
      status: 'idle',
      queue: [],
      delayed: [{ runId: 'r1', at: '2026-01-01T01:00:00.000Z' }],
    });
    queue.submit(later('r2', 2));
    expect(describeConversation(queue.view(), { workflowId: 'w', namespace: 'default' })).toContain(
      'Run `r1` begins at 2026-01-01T01:00:00.000Z, and 1 run later.',
    );
  });

  it('is accepted once if it is submitted twice with the same idempotency key', () => {
    const { queue } = makeQueue();
    queue.submit(later('r1', 1, { key: 'k' }));
    expect(queue.submit(later('r2', 1, { key: 'k' }))).toMatchObject({ runId: 'r1', duplicate: true });
    expect(queue.view().delayed).toHaveLength(1);
  });

  it('counts as a waiting run: a new run with strategy reject is refused; one with interrupt cancels the delayed run', () => {
    const { queue } = makeQueue();
    queue.submit(later('r1', 1));
    expect(codeOf(() => queue.submit(run('r2', { strategy: 'reject' })))).toBe('conflict');
    queue.submit(run('r3', { strategy: 'interrupt' }));
    const first = queue.take();
    expect(first.run).toMatchObject({ runId: 'r1', cancelled: 'interrupt' });
    queue.ended(first.run, { status: 'interrupted' });
    expect(work(queue)).toBe('r3');
  });

  it('ends at once if it is cancelled', () => {
    const { queue } = makeQueue();
    queue.submit(later('r1', 1));
    queue.submit(later('r2', 2));
    expect(queue.cancel({ runIds: ['r2'], action: 'rollback' })).toEqual({ runIds: ['r2'] });
    expect(queue.take().run).toMatchObject({ runId: 'r2', cancelled: 'rollback' });
    expect(queue.view().delayed).toMatchObject([{ runId: 'r1' }]);
  });

  it('that answers a question makes the queue refuse a second answer', () => {
    const { queue } = makeQueue();
    queue.submit(later('r1', 1, { resumes: true }));
    expect(codeOf(() => queue.submit(run('r2', { resumes: true })))).toBe('conflict');
  });

  it('does not count towards the limit of the queue; delayed runs have a limit of their own', () => {
    const { queue } = makeQueue({ queueLimit: 1 });
    queue.submit(later('r1', 1));
    expect(codeOf(() => queue.submit(later('r2', 1)))).toBe('queue_full');
    queue.submit(run('r3'));
    expect(work(queue)).toBe('r3');
  });

  it('keeps a stateless conversation open until the delayed run has ended', () => {
    const { queue, clock } = makeQueue({ ephemeral: true });
    queue.submit(later('r1', 1));
    expect([queue.awaitsFirstRun, queue.isOver]).toEqual([false, false]);
    clock.now += HOUR;
    expect([work(queue), queue.isOver]).toEqual(['r1', true]);
  });

  it('is carried over by continue-as-new', () => {
    const { queue, clock, input } = makeQueue();
    queue.submit(later('r1', 1, { webhook: true }));
    const carried = JSON.parse(JSON.stringify(queue.carry()));
    const next = new ConversationQueue({ ...input, carried }, () => clock.now);
    clock.now += HOUR;
    expect(next.take().run).toEqual({ runId: 'r1', graphId: 'graph', assistantId: 'assistant', webhook: true });
    expect(makeQueue().queue.carry()).not.toHaveProperty('delayed');
  });
});

inEveryMode((world) => {
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

  describe('delayed runs', () => {
    it('start in an idle conversation in the order of their due times', async () => {
      const talk = world().talk();
      await talk.submit('r1', { notBefore: soon(3_600_000) });
      await talk.submit('r2', { notBefore: soon(2_000) });
      await talk.submit('r3', { notBefore: soon(1_000) });
      await talk.submit('r4');
      await talk.until((view) => view.turns === 3 && view.status === 'idle');
      expect(talk.ran).toEqual(['r4', 'r3', 'r2']);
      expect((await talk.state()).delayed).toMatchObject([{ runId: 'r1' }]);
    });

    it('wait for the active run to end if they become due while it is executing', async () => {
      const talk = world().talk();
      const { step, open } = gate();
      talk.steps.set('r1', async (task) => (task.step === 1 ? (await step(task), goOn(task)) : done(task)));
      await talk.submit('r1');
      await talk.submit('r2', { notBefore: soon(1) });
      await talk.submit('r3');
      open();
      await talk.until((view) => view.turns === 3 && view.status === 'idle');
      expect(talk.ran).toEqual(['r1', 'r2', 'r3']);
    });

    it('can be cancelled before they are due', async () => {
      const talk = world().talk();
      await talk.submit('r1', { notBefore: soon(3_600_000) });
      expect(await talk.cancel({ runIds: ['r1'], action: 'interrupt' })).toEqual({ runIds: ['r1'] });
      await talk.call((call) => call.name === 'endRun');
      await talk.settled();
      expect(talk.ended).toMatchObject([{ runId: 'r1', status: 'interrupted' }]);
      expect(talk.ran).toEqual([]);
      expect(await talk.state()).not.toHaveProperty('delayed');
    });

    it('end when the conversation is closed', async () => {
      const talk = world().talk();
      await talk.submit('r1', { notBefore: soon(3_600_000) });
      expect(await talk.close()).toEqual({ runIds: ['r1'] });
      await talk.handle.result();
      expect(talk.ended).toMatchObject([{ runId: 'r1', status: 'interrupted' }]);
    });

    it('let a stateless conversation complete as soon as they have ended', async () => {
      const talk = world().talk({ ephemeral: true });
      await talk.submit('r1', { notBefore: soon(1_000) });
      await talk.handle.result();
      expect(talk.ran).toEqual(['r1']);
    });

    it('are refused if their planned start time is invalid', async () => {
      const talk = world().talk();
      expect(await refusal(talk.submit('r1', { notBefore: 'tomorrow' }))).toEqual([
        'invalid_argument',
        'submit.notBefore is tomorrow; expected a time in ISO 8601',
      ]);
    });
  });
});
