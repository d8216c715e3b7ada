import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../protocol/index.js';
import { DEFAULT_SETTINGS, type StepOutcome } from '../../workflows/contract.js';
import { describeConversation } from '../../workflows/details.js';
import { ConversationQueue } from '../../workflows/queue.js';
import { inEveryMode, refusal } from './harness.js';
import { asks, cursorAt, done, gate, goOn } from './script.js';

const run = (runId: string) => ({ runId, graphId: 'graph', assistantId: 'assistant', strategy: 'enqueue' }) as const;
const message = (runId: string) => ({ runId, graphId: 'graph', assistantId: 'assistant' });
const success: StepOutcome = { status: 'success', nodes: [], next: [], cursor: cursorAt(1) };

function makeQueue(carried?: ReturnType<ConversationQueue['carry']>, queueLimit = 100) {
  const settings = { ...DEFAULT_SETTINGS, queueLimit };
  return new ConversationQueue({ tenant: 'acme', threadId: 't', settings, ...(carried && { carried }) });
}

/** Returns a queue in which run `r1` is the current run. */
function working(queueLimit?: number) {
  const queue = makeQueue(undefined, queueLimit);
  queue.submit(run('r1'));
  const current = queue.take();
  queue.begin(current);
  return { queue, current };
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return errorCode(error);
  }
  return undefined;
}

describe('an injected message (a message for the active run)', () => {
  it('is passed to each step of the active run until a step has taken it', () => {
    const { queue, current } = working();
    expect(queue.inject(message('m1'))).toEqual({ duplicate: false });
    expect(queue.inject(message('m1'))).toEqual({ duplicate: true });
    queue.inject(message('m2'));
    expect(queue.view().injected).toEqual(['m1', 'm2']);
    expect(describeConversation(queue.view(), { workflowId: 'w', namespace: 'default' })).toContain(
      '; 2 messages on the way into it.',
    );
    queue.stepped(current, { ...success, status: 'continue', injected: ['m1'] });
    expect(queue.view().injected).toEqual(['m2']);
    queue.stepped(current, { ...success, injected: ['m2'] });
    expect(queue.view()).not.toHaveProperty('injected');
    expect(queue.hasWork).toBe(false);
  });

  it('becomes the next run, ahead of all waiting runs, if the active run succeeds without taking it', () => {
    const { queue, current } = working();
    queue.submit(run('r2'));
    for (const id of ['m1', 'm2']) queue.inject(message(id));
    queue.stepped(current, success);
    expect(queue.view()).toMatchObject({ queue: ['m1', 'r2'], injected: ['m2'] });
  });

  it('waits while a question is open, and is carried over by continue-as-new', () => {
    const { queue, current } = working();
    queue.inject(message('m1'));
    queue.stepped(current, asks({ id: 'i1' }));
    expect(queue.view()).toMatchObject({ status: 'interrupted', queue: [], injected: ['m1'] });
    expect(makeQueue(queue.carry()).view()).toMatchObject({ status: 'interrupted', injected: ['m1'] });
  });

  it.each([
    { action: 'interrupt', left: ['m1'] },
    { action: 'rollback', left: undefined },
  ] as const)('is kept by the cancel action interrupt, but dropped by rollback: $action', ({ action, left }) => {
    const { queue, current } = working();
    queue.inject(message('m1'));
    queue.cancel({ runIds: 'all', action });
    queue.ended(current.run, { status: 'interrupted' });
    expect(queue.view().injected).toEqual(left);
    expect(queue.hasWork).toBe(false);
  });

  it('is refused if no run is active, if too many messages wait, and after the conversation was closed', () => {
    expect(codeOf(() => makeQueue().inject(message('m1')))).toBe('conflict');
    const { queue } = working(1);
    queue.inject(message('m1'));
    expect(codeOf(() => queue.inject(message('m2')))).toBe('queue_full');
    queue.close();
    expect(codeOf(() => queue.inject(message('m3')))).toBe('thread_closed');
  });
});

inEveryMode((world) => {
  it('passes an injected message to every step until a step returns it as taken', async () => {
    const talk = world().talk();
    const [first, second] = [gate(), gate()];
    talk.steps.set('r1', async (task) => {
      if (task.step === 1) return (await first.step(task), goOn(task));
      if (task.step === 2) return { ...goOn(task), injected: ['m1'] };
      return (await second.step(task), done(task));
    });
    await talk.submit('r1');
    await talk.call((call) => call.name === 'runStep');
    for (const id of ['m1', 'm2']) await talk.inject(id);
    first.open();
    await talk.call((call) => call.name === 'runStep' && call.task.step === 3);
    second.open();
    await talk.until((view) => view.last?.runId === 'm2');
    const offered = talk.calls.flatMap((call) => (call.name === 'runStep' ? [call.task.injections] : []));
    expect(offered).toEqual([undefined, ['m1', 'm2'], ['m2'], undefined]);
  });

  it('at a rollback, passes the injected messages to the activity endRun, which deletes them', async () => {
    const talk = world().talk();
    talk.steps.set('r1', gate().step);
    await talk.submit('r1');
    await talk.call((call) => call.name === 'runStep');
    await talk.inject('m1');
    await talk.cancel({ runIds: ['r1'], action: 'rollback' });
    await talk.settled();
    expect(talk.ended).toMatchObject([{ runId: 'r1', rollback: true, dropped: ['m1'] }]);
    expect(await refusal(talk.inject('m2'))).toEqual([
      'conflict',
      `thread ${talk.threadId} has no active run for message m2`,
    ]);
  });
});
