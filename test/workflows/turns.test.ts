import { describe, expect, it } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { FAILURES } from '../../workflows/contract.js';
import { continuesAsNew, inEveryMode } from './harness.js';
import { cursorAt, done, gate, goOn } from './script.js';

inEveryMode((world, mode) => {
  describe('the order of runs and steps', () => {
    it('runs that arrive as updates or signals are executed one after another, in the order of their arrival', async () => {
      const talk = world().talk();
      const first = gate();
      talk.steps.set('r0', first.step);
      await talk.submit('r0');
      await talk.call((call) => call.name === 'runStep');
      const ids = ['r0'];
      for (let n = 1; n <= 6; n += 1) {
        if (n % 2 === 0) await talk.signal('message', { input: `m${n}`, key: `k${n}` });
        else await talk.submit(`r${n}`);
        const { queue } = await talk.until((view) => view.queue.length === n);
        ids.push(queue[n - 1] ?? '');
      }
      first.open();
      expect(await talk.settled()).toMatchObject({ status: 'idle', turns: 7 });
      expect(talk.ran).toEqual(ids);
      expect(talk.recorded.map(({ run }) => run.input)).toEqual(['m2', 'm4', 'm6']);
      const ordinals = talk.calls.flatMap((call) => (call.name === 'runStep' ? [call.task.ordinal] : []));
      expect(ordinals).toEqual([...ordinals].sort((a, b) => a - b));
      expect(new Set(ordinals).size).toBe(7);
    });

    it('a new run is accepted while another run is active', async () => {
      const talk = world().talk();
      const { step, open } = gate();
      talk.steps.set('r1', step);
      await talk.submit('r1');
      expect(await talk.submit('r2')).toEqual({ runId: 'r2', position: 1, duplicate: false });
      open();
      await talk.settled();
    });

    it('each step gets the cursor (thread head and tail) that the previous step returned, even at the start of a new run', async () => {
      const talk = world().talk();
      talk.steps.set('r1', (task) =>
        task.step < 3 ? { ...goOn(task), cursor: cursorAt(task.step * 10) } : done(task),
      );
      await talk.submit('r1');
      await talk.settled();
      await talk.submit('r2');
      await talk.settled();
      const steps = talk.calls.flatMap((call) => (call.name === 'runStep' ? [call.task] : []));
      expect(steps.map(({ runId, step, cursor }) => [runId, step, cursor?.tail])).toEqual([
        ['r1', 1, undefined],
        ['r1', 2, 10],
        ['r1', 3, 20],
        ['r2', 1, 3],
      ]);
    });

    it('a step is executed with the activity options that the previous step returned', async () => {
      const talk = world().talk();
      talk.steps.set('r1', (task) =>
        task.step === 1
          ? { ...goOn(task), nextOptions: { ...task.options, startToCloseTimeoutMs: 7_000 } }
          : done(task),
      );
      await talk.submit('r1');
      await talk.settled();
      const options = talk.calls.flatMap((call) => (call.name === 'runStep' ? [call.task.options] : []));
      expect(options.map(({ startToCloseTimeoutMs }) => startToCloseTimeoutMs)).toEqual([undefined, 7_000]);
    });
  });

  describe('idempotency', () => {
    it('a repeated idempotency key or run id starts no second run, even after continue-as-new', async () => {
      const talk = world().talk();
      for (const id of ['r1', 'r2', 'r3', 'r4', 'r5']) {
        await talk.submit(id, { key: `key-${id}` });
        await talk.settled();
      }
      expect(await talk.submit('other', { key: 'key-r1' })).toMatchObject({ runId: 'r1', duplicate: true });
      expect(await talk.submit('r2')).toMatchObject({ runId: 'r2', duplicate: true });
      await talk.signal('message', { input: 'again', key: 'key-r3' });
      await talk.until(({ notes }) => notes.length === 1);
      expect(await talk.settled()).toMatchObject({
        turns: 5,
        notes: [{ text: 'signal message has the key of run r3, which came before' }],
      });
      expect(talk.ran).toEqual(['r1', 'r2', 'r3', 'r4', 'r5']);
      const { runId, raw } = await talk.handle.describe();
      expect(raw.workflowExecutionInfo?.firstRunId === runId).toBe(!continuesAsNew(mode));
    });

    it('if a message signal has the idempotency key of a stored run, that run is executed and no new one', async () => {
      const talk = world().talk();
      talk.record = () => ({ runId: 'earlier', graphId: 'graph', assistantId: 'assistant', duplicate: true });
      await talk.signal('message', { input: 'hi', key: 'k' });
      expect(await talk.settled()).toMatchObject({ last: { runId: 'earlier', status: 'success' } });
      await talk.signal('message', { input: 'hi', key: 'k' });
      await talk.until(({ notes }) => notes.length === 1);
      expect(talk.ran).toEqual(['earlier']);
    });
  });

  describe('failed activities', () => {
    const failed = (details: unknown[], message = 'the node threw') =>
      ApplicationFailure.create({ type: FAILURES.graph, message, nonRetryable: true, details });

    it('an error of the graph ends the run with that error, and the next run starts', async () => {
      const talk = world().talk();
      talk.steps.set('r1', () => {
        throw failed([{ error: 'TypeError', message: 'x is undefined' }]);
      });
      await talk.submit('r1');
      const error = { error: 'TypeError', message: 'x is undefined' };
      expect(await talk.settled()).toMatchObject({ status: 'error', last: { runId: 'r1', status: 'error', error } });
      expect(talk.ended).toMatchObject([{ runId: 'r1', status: 'error', step: 2, error }]);
      await talk.submit('r2');
      await talk.until((view) => view.last?.runId === 'r2');
      expect(await talk.state()).toMatchObject({ status: 'idle' });
    });

    it('a non-retryable step error that is not from the graph ends the run with the type and message of that error', async () => {
      const talk = world().talk();
      talk.steps.set('r1', () => {
        throw ApplicationFailure.nonRetryable('the result is too large', 'too_large');
      });
      await talk.submit('r1');
      expect(await talk.settled()).toMatchObject({
        last: { status: 'error', error: { error: 'too_large', message: 'the result is too large' } },
      });
    });

    it('a step that fails because of the infrastructure is retried', async () => {
      const talk = world().talk();
      talk.steps.set('r1', (task) => {
        if (talk.calls.length === 1) throw new Error('connection reset');
        return done(task);
      });
      await talk.submit('r1');
      expect(await talk.settled()).toMatchObject({ last: { runId: 'r1', status: 'success' } });
      expect(talk.calls.map((call) => call.name === 'runStep' && call.attempt)).toEqual([1, 2]);
    });

    it('if the activity that ends a run fails, the view shows a note about this failure, and the conversation continues', async () => {
      const talk = world().talk();
      talk.steps.set('r1', () => {
        throw failed([]);
      });
      talk.end = () => Promise.reject(ApplicationFailure.nonRetryable('the record is gone', 'not_found'));
      await talk.submit('r1');
      expect(await talk.settled()).toMatchObject({
        last: { runId: 'r1', error: { error: FAILURES.graph, message: 'the node threw' } },
        notes: [{ text: 'run r1 could not be ended: the record is gone' }],
      });
      await talk.submit('r2');
      await talk.until((view) => view.last?.runId === 'r2');
    });

    it('if the first step of a run fails because the thread has a higher fence, the step is repeated with a still higher one', async () => {
      const talk = world().talk();
      talk.steps.set('r1', (task) => {
        if (task.ordinal > 3_000_000_000) return done(task);
        throw ApplicationFailure.create({ type: FAILURES.fence, details: ['3000000000.0000001.00001'] });
      });
      await talk.submit('r1');
      expect(await talk.settled()).toMatchObject({ last: { runId: 'r1', status: 'success' } });
      expect(talk.calls.map((call) => call.name === 'runStep' && call.task.ordinal).at(-1)).toBe(3_000_000_001);
    });

    it('if a later step of a run fails because the thread has a higher fence, the run ends with an error', async () => {
      const talk = world().talk();
      talk.steps.set('r1', (task) => {
        if (task.step === 1) return goOn(task);
        throw ApplicationFailure.create({ type: FAILURES.fence, message: 'fence lost' });
      });
      await talk.submit('r1');
      expect(await talk.settled()).toMatchObject({ last: { error: { error: 'fence_lost', message: 'fence lost' } } });
    });
  });
});
