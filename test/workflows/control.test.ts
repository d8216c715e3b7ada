import { describe, expect, it } from '@jest/globals';
import type { StepTask } from '../../workflows/contract.js';
import { inEveryMode, refusal } from './harness.js';
import type { Talk } from './world.js';
import { asks, done, gate, goOn } from './script.js';

inEveryMode((world) => {
  describe('the multitask strategy', () => {
    async function busy(): Promise<Talk> {
      const talk = world().talk();
      talk.steps.set('r1', gate().step);
      await talk.submit('r1');
      await talk.submit('r2');
      await talk.call((call) => call.name === 'runStep');
      return talk;
    }

    it('`reject` refuses a new run with the error code conflict while another run is active', async () => {
      const talk = await busy();
      expect(await refusal(talk.submit('r3', { strategy: 'reject' }))).toEqual([
        'conflict',
        `thread ${talk.threadId} is busy with run r1; cannot accept run r3 with strategy reject`,
      ]);
    });

    it('`interrupt` ends the current and the waiting runs with status interrupted, and then starts the new run', async () => {
      const talk = await busy();
      await talk.submit('r3', { strategy: 'interrupt' });
      await talk.until((view) => view.last?.runId === 'r3');
      expect(talk.ran).toEqual(['r1', 'r3']);
      expect(talk.ended).toMatchObject([
        { runId: 'r1', status: 'interrupted', step: 2 },
        { runId: 'r2', status: 'interrupted' },
      ]);
      expect(talk.ended[0]).not.toHaveProperty('rollback');
    });

    it('`rollback` rolls back the current and the waiting runs, and then starts the new run', async () => {
      const talk = await busy();
      await talk.submit('r3', { strategy: 'rollback' });
      await talk.until((view) => view.last?.runId === 'r3');
      expect(talk.ran).toEqual(['r1', 'r3']);
      expect(talk.ended).toMatchObject([
        { runId: 'r1', status: 'interrupted', rollback: true },
        { runId: 'r2', status: 'interrupted', rollback: true },
      ]);
    });

    it('`enqueue` refuses a new run with the error code queue_full if the queue has reached its limit', async () => {
      const talk = world().talk({ settings: { queueLimit: 1 } });
      const { step, open } = gate();
      talk.steps.set('r1', step);
      await talk.submit('r1');
      await talk.submit('r2');
      expect((await refusal(talk.submit('r3')))[0]).toBe('queue_full');
      await talk.signal('message', 'no room');
      const view = await talk.until(({ notes }) => notes.length === 1);
      expect(view.notes[0]?.text).toMatch(/^signal message was not followed: thread .* with room for 1 behind/);
      open();
      await talk.settled();
      expect(talk.ran).toEqual(['r1', 'r2']);
    });
  });

  describe('cancelling runs', () => {
    it('cancels the activity of the current run, and then starts the next run', async () => {
      const talk = world().talk();
      talk.steps.set('r1', gate().step);
      await talk.submit('r1');
      await talk.submit('r2');
      await talk.call((call) => call.name === 'runStep');
      expect(await talk.cancel({ runIds: ['r1', 'unknown'], action: 'interrupt' })).toEqual({ runIds: ['r1'] });
      expect(await talk.settled()).toMatchObject({ last: { runId: 'r2', status: 'success' } });
      expect(talk.ended).toMatchObject([{ runId: 'r1', status: 'interrupted' }]);
    });

    it('ends a cancelled waiting run before the next step of the current run; `endRun` gets the ordinal of the current run', async () => {
      const talk = world().talk();
      const { step, open } = gate();
      talk.steps.set('r1', async (task) => {
        if (task.step > 1) return done(task);
        await step(task);
        return goOn(task);
      });
      await talk.submit('r1');
      await talk.submit('r2');
      await talk.cancel({ runIds: ['r2'], action: 'rollback' });
      open();
      await talk.settled();
      const fences = talk.calls.map((call) => ('step' in call.task ? [call.task.runId, call.task.step] : []));
      expect(fences).toEqual([
        ['r1', 1],
        ['r2', 2],
        ['r1', 3],
      ]);
      expect(talk.ended).toMatchObject([{ runId: 'r2', status: 'interrupted', rollback: true }]);
      expect(talk.ended[0]?.ordinal).toBe((talk.calls[0] as { task: StepTask }).task.ordinal);
    });

    it('a cancel signal without input cancels the current run', async () => {
      const talk = world().talk();
      talk.steps.set('r1', gate().step);
      await talk.submit('r1');
      await talk.call((call) => call.name === 'runStep');
      await talk.signal('cancel');
      expect(await talk.settled()).toMatchObject({ last: { runId: 'r1', status: 'interrupted' } });
    });

    it('if the workflow itself is cancelled in Temporal, it ends the runs of the conversation before it stops', async () => {
      const talk = world().talk();
      talk.steps.set('r1', gate().step);
      await talk.submit('r1');
      await talk.signal('message', 'hello');
      await talk.call((call) => call.name === 'runStep');
      await talk.until((view) => view.queue.length === 1);
      await talk.handle.cancel();
      await expect(talk.handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      expect(talk.ended).toMatchObject([
        { runId: 'r1', status: 'interrupted' },
        { runId: talk.recorded[0]?.runId, status: 'interrupted' },
      ]);
    });
  });

  describe('closing a conversation', () => {
    it('completes the workflow after its runs have ended', async () => {
      const talk = world().talk();
      talk.steps.set('r1', gate().step);
      await talk.submit('r1');
      await talk.submit('r2');
      await talk.call((call) => call.name === 'runStep');
      expect(await talk.close()).toEqual({ runIds: ['r1', 'r2'] });
      await talk.handle.result();
      expect(talk.ended.map(({ runId, status }) => [runId, status])).toEqual([
        ['r1', 'interrupted'],
        ['r2', 'interrupted'],
      ]);
      expect(await talk.state()).toMatchObject({ closed: true });
    });

    it('makes the conversation refuse every run that is submitted later', async () => {
      const talk = world().talk();
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      // This step ignores its cancellation, so the conversation still has a current run after
      // `close`.
      talk.steps.set('r1', async (task) => {
        await released;
        return done(task);
      });
      await talk.submit('r1');
      await talk.call((call) => call.name === 'runStep');
      await talk.close();
      expect(await refusal(talk.submit('r2'))).toEqual([
        'thread_closed',
        `thread ${talk.threadId} is closed; cannot accept r2`,
      ]);
      release();
      await talk.handle.result();
    });

    it('completes the workflow of an idle conversation at once', async () => {
      const talk = world().talk();
      await talk.submit('r1');
      await talk.settled();
      await talk.close();
      await talk.handle.result();
    });

    it('happens by itself when the run of a stateless conversation has ended or asks a question', async () => {
      const talk = world().talk({ ephemeral: true });
      await talk.submit('r1');
      await talk.handle.result();
      expect(talk.ran).toEqual(['r1']);
      const asking = world().talk({ ephemeral: true });
      asking.steps.set('r1', () => asks({ id: 'i1' }));
      await asking.submit('r1');
      await asking.handle.result();
    });
  });
});
