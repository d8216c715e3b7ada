import { describe, expect, it } from '@jest/globals';
import type { StepTask } from '../../workflows/contract.js';
import { asked, withAndWithoutCache } from './harness.js';
import { asks, cursorAt, done, gate, goOn } from './script.js';
import type { StepScript } from './script.js';
import { createWorld, type Talk } from './world.js';

const steps = (talk: Talk): StepTask[] => talk.calls.flatMap((call) => (call.name === 'runStep' ? [call.task] : []));

/** A step script that succeeds at step `last`. */
const untilStep =
  (last: number): StepScript =>
  (task) =>
    task.step < last ? goOn(task) : done(task);

function stepped(talk: Talk, runId: string, step: number) {
  return talk.call(({ name, task }) => name === 'runStep' && task.runId === runId && task.step === step);
}

withAndWithoutCache((world) => {
  const later = () => new Date(Date.now() + 3_600_000).toISOString();

  /**
   * Returns a conversation that waits in the middle of a continue-as-new. Run `r1` has executed its
   * first step, `r2` waits, and the record of a third run is not stored yet. `release` stores it.
   * The second step of `r1` runs until it is cancelled.
   */
  async function continuing(): Promise<{ talk: Talk; release: () => void }> {
    const talk = world().talk({ settings: { maxSteps: 1 } });
    const [first, second, record] = [gate(), gate(), gate()];
    talk.steps.set('r1', async (task) => (task.step === 1 ? (await first.step(task), goOn(task)) : second.step(task)));
    talk.record = async ({ runId }) => {
      await record.opened;
      return { runId, graphId: 'graph', assistantId: 'assistant', duplicate: false };
    };
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.signal('message', 'hello');
    await talk.until((view) => view.queue.length === 2);
    first.open();
    await talk.call((call) => call.name === 'recordRun');
    return { talk, release: record.open };
  }

  describe('a workflow that continues as new between two steps of a run', () => {
    it('executes the next step with the ordinal, step number, cursor and options that it would have had', async () => {
      const talk = world().talk({ settings: { maxSteps: 2 } });
      talk.steps.set('r1', (task) => ({
        ...(task.step < 5 ? goOn(task) : done(task)),
        ...(task.step === 2 && { nextOptions: { ...task.options, startToCloseTimeoutMs: 7_000 } }),
        cursor: cursorAt(task.step * 10),
      }));
      await talk.submit('r1');
      await talk.submit('r2');
      expect(await talk.settled()).toMatchObject({
        turns: 2,
        status: 'idle',
        last: { runId: 'r2', status: 'success' },
      });
      const ordinal = steps(talk)[0]?.ordinal ?? 0;
      const seen = steps(talk).map((task) => [
        ...[task.runId, task.ordinal - ordinal, task.step, task.cursor?.tail],
        task.options.startToCloseTimeoutMs,
      ]);
      expect(seen).toEqual([
        ['r1', 0, 1, undefined, undefined],
        ['r1', 0, 2, 10, undefined],
        ['r1', 0, 3, 20, 7_000],
        ['r1', 0, 4, 30, 7_000],
        ['r1', 0, 5, 40, 7_000],
        ['r2', 1, 1, 50, undefined],
      ]);
      expect(await talk.histories()).toHaveLength(4);
    });

    it('shows the same state as before, and carries waiting runs, delayed runs and injected messages', async () => {
      const talk = world().talk({ settings: { maxSteps: 1 } });
      const [first, second] = [gate(), gate()];
      talk.steps.set('r1', async (task) => {
        if (task.step === 1) return (await first.step(task), goOn(task, ['tools']));
        return task.step === 2 ? (await second.step(task), { ...goOn(task), injected: ['m1'] }) : done(task);
      });
      await talk.submit('r1');
      await talk.submit('r2');
      await talk.signal('message', { input: 'hello', key: 'k' });
      const at = later();
      await talk.submit('r3', { notBefore: at });
      await talk.inject('m1');
      const waiting = (await talk.until((view) => view.queue.length === 2)).queue;
      first.open();
      await stepped(talk, 'r1', 2);
      expect(await talk.state()).toMatchObject({
        status: 'busy',
        current: { runId: 'r1', assistantId: 'assistant', step: 2, nodes: ['tools'] },
        queue: waiting,
        delayed: [{ runId: 'r3', at }],
        injected: ['m1'],
        turns: 1,
      });
      expect(talk.recorded.map(({ runId }) => runId)).toEqual(waiting.slice(1));
      second.open();
      await talk.until((view) => view.turns === 3 && view.status === 'idle');
      expect(talk.ran).toEqual(['r1', ...waiting]);
      expect(steps(talk).map(({ injections }) => injections)).toEqual([
        ...[undefined, ['m1']],
        ...[undefined, undefined, undefined],
      ]);
      expect(await talk.submit('r1')).toMatchObject({ duplicate: true });
      expect((await talk.state()).delayed).toMatchObject([{ runId: 'r3' }]);
    });

    it.each(['interrupt', 'rollback'] as const)(
      'ends the current run if it is cancelled meanwhile: %s',
      async (action) => {
        const { talk, release } = await continuing();
        await talk.inject('m1');
        expect(await talk.cancel({ runIds: ['r1'], action })).toEqual({ runIds: ['r1'] });
        release();
        // If the message is not deleted, it becomes a run after `r2`.
        const turns = action === 'rollback' ? 3 : 4;
        await talk.until((view) => view.turns === turns && view.status === 'idle');
        const { ordinal } = steps(talk)[0] as StepTask;
        expect(talk.ended).toEqual([
          {
            ...{ tenant: 'workflows-test', threadId: talk.threadId },
            ...{ runId: 'r1', ordinal, step: 2, status: 'interrupted' },
            ...(action === 'rollback' && { rollback: true, dropped: ['m1'] }),
          },
        ]);
        expect(
          steps(talk)
            .map(({ runId, step }) => `${runId} ${step}`)
            .slice(0, 2),
        ).toEqual(['r1 1', 'r2 1']);
        expect(await talk.histories()).not.toHaveLength(1);
      },
    );

    it('ends a waiting run that is cancelled meanwhile before the next step of the current run', async () => {
      const { talk, release } = await continuing();
      await talk.cancel({ runIds: ['r2'], action: 'interrupt' });
      release();
      await stepped(talk, 'r1', 3);
      const { ordinal } = steps(talk)[0] as StepTask;
      expect(talk.ended).toMatchObject([{ runId: 'r2', ordinal, step: 2, status: 'interrupted' }]);
      await talk.cancel({ runIds: ['r1'], action: 'interrupt' });
      await talk.until((view) => view.turns === 2 && view.status === 'idle');
      expect(talk.ended[1]).toMatchObject({ runId: 'r1', ordinal, step: 4 });
    });

    it.each(['closed', 'cancelled'] as const)('ends its runs and completes if it is %s meanwhile', async (how) => {
      const { talk, release } = await continuing();
      await (how === 'closed' ? talk.close() : talk.handle.cancel());
      await talk.until((view) => view.closed);
      release();
      const result = talk.handle.result();
      if (how === 'closed') await result;
      else await expect(result).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      const third = talk.recorded[0]?.runId;
      expect(talk.ended.map(({ runId }) => runId)).toEqual(['r1', 'r2', third]);
      expect(await talk.histories()).toHaveLength(1);
    });

    it('cancels the activity of a step that has started after it', async () => {
      const { talk, release } = await continuing();
      release();
      await stepped(talk, 'r1', 2);
      await talk.cancel({ runIds: 'all', action: 'interrupt' });
      expect(await talk.settled()).toMatchObject({ status: 'idle', turns: 1 });
      expect(talk.ended.map(({ runId, step }) => `${runId} ${step}`).slice(0, 2)).toEqual(['r1 3', 'r2 1']);
    });

    it('asks the questions of the run after it, and takes their answers', async () => {
      const talk = world().talk({ settings: { maxSteps: 1 } });
      talk.steps.set('r1', (task) => (task.step < 3 ? goOn(task) : asks({ id: 'i1' })));
      talk.otherSteps = untilStep(3);
      await talk.submit('r1');
      await talk.until((view) => view.status === 'interrupted');
      await talk.settled();
      const { runId } = await talk.resume({ value: 'yes' });
      expect(await talk.settled()).toMatchObject({ interrupts: [], last: { runId, status: 'success' }, turns: 2 });
      expect(talk.recorded).toMatchObject([{ runId, run: { resume: { interruptId: 'i1', value: 'yes' } } }]);
    });

    it('keeps the deadline of a question that the rolled back run had closed', async () => {
      const deadline = later();
      const talk = await asked(world().talk({ settings: { maxSteps: 1 } }), { id: 'i1', deadline });
      talk.steps.set('r1', async (task) => (task.step < 3 ? goOn(task) : gate().step(task)));
      await talk.submit('r1');
      await stepped(talk, 'r1', 3);
      expect((await talk.state()).interrupts).toEqual([]);
      const question = { id: 'i1', node: 'approve', deadline: '2999-01-01T00:00:00Z' };
      talk.end = async () => ({ cursor: cursorAt(1), threadStatus: 'interrupted', interrupts: [question] });
      await talk.cancel({ runIds: ['r1'], action: 'rollback' });
      expect(await talk.settled()).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1', deadline }] });
    });

    it('remembers an edit that has closed a question which the run asks later', async () => {
      const talk = world().talk({ settings: { maxSteps: 1 } });
      const { step, open } = gate();
      talk.steps.set('r1', async (task) => {
        if (task.step === 1) await step(task);
        return task.step < 3 ? goOn(task) : asks({ id: 'i1' });
      });
      await talk.submit('r1');
      await stepped(talk, 'r1', 1);
      await talk.signal('edited', { closed: ['i1'], status: 'idle' });
      // The note on this refused signal shows that the edit before it has arrived.
      await talk.signal('message', '');
      await talk.until((view) => view.notes.length === 1);
      open();
      expect(await talk.settled()).toMatchObject({ status: 'idle', interrupts: [], turns: 1 });
      expect(steps(talk).map(({ step }) => step)).toEqual([1, 2, 3]);
    });

    it('loses no update and no signal that arrives while it continues as new again and again', async () => {
      const talk = world().talk({ settings: { maxSteps: 2 } });
      let isOver = false;
      talk.steps.set('r0', (task) => (isOver ? done(task) : goOn(task)));
      await talk.submit('r0');
      const numbers = [1, 2, 3, 4];
      const submitAll = async () => {
        for (const n of numbers) await talk.submit(`r${n}`);
      };
      const signalAll = async () => {
        for (const n of numbers) await talk.signal('message', { input: `m${n}`, key: `k${n}` });
      };
      await Promise.all([submitAll(), signalAll()]);
      isOver = true;
      await talk.until((view) => view.turns === 9 && view.status === 'idle');
      expect(talk.ran).toEqual(expect.arrayContaining(['r0', ...numbers.map((n) => `r${n}`)]));
      expect(talk.recorded.map(({ run }) => run.input)).toEqual(numbers.map((n) => `m${n}`));
      const own = steps(talk).filter(({ runId }) => runId === 'r0');
      expect(own.map(({ step }) => step)).toEqual(own.map((_, index) => index + 1));
    });

    it('completes when the run of a stateless conversation has ended', async () => {
      const talk = world().talk({ settings: { maxSteps: 1 }, ephemeral: true });
      talk.steps.set('r1', untilStep(3));
      await talk.submit('r1');
      await talk.handle.result();
      expect(steps(talk).map(({ step }) => step)).toEqual([1, 2, 3]);
    });
  });
});

describe('a run of many steps', () => {
  it('continues its history as soon as Temporal suggests it, and executes each step once', async () => {
    const count = 750;
    const world = await createWorld({ maxTurns: 0 });
    try {
      const talk = world.talk();
      talk.steps.set('r1', untilStep(count));
      await talk.submit('r1');
      await talk.until((view) => view.last?.runId === 'r1');
      expect(steps(talk).map(({ step }) => step)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
      expect(new Set(steps(talk).map(({ ordinal }) => ordinal)).size).toBe(1);
      const suggestions = (await talk.histories()).map(({ events = [] }) => {
        const tasks = (events ?? []).flatMap((event) => event.workflowTaskStartedEventAttributes ?? []);
        return tasks.map((task) => task.suggestContinueAsNew === true).filter(Boolean).length;
      });
      expect(suggestions).toEqual([1, 0]);
    } finally {
      await world.close();
    }
  }, 120_000);
});
