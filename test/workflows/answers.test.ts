import { describe, expect, it } from '@jest/globals';
import { asked, continuesAsNew, inEveryMode, refusal } from './harness.js';
import type { Talk } from './world.js';
import { asks, done, gate } from './script.js';

function resumeOf(talk: Talk): unknown[] {
  return talk.recorded.map(({ run }) => run.resume);
}

inEveryMode((world, mode) => {
  describe('questions', () => {
    it('are answered by the Temporal update `resume`, which starts a new run', async () => {
      const talk = await asked(world().talk(), { id: 'i1' });
      expect(await talk.state()).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1', node: 'approve' }] });
      const { runId } = await talk.resume({ interruptId: 'i1', value: 'approve' });
      expect(await talk.settled()).toMatchObject({
        status: 'idle',
        interrupts: [],
        last: { runId, status: 'success' },
      });
      expect(talk.recorded).toMatchObject([
        { runId, assistantId: 'assistant', run: { resume: { interruptId: 'i1', value: 'approve' } } },
      ]);
    });

    it.each([
      ['a bare text', 'approve', 'approve'],
      ['a bare boolean', true, true],
      ['an envelope', { value: 'approve' }, 'approve'],
      ['an object', { decision: 'edit' }, { decision: 'edit' }],
    ])('are answered by the Temporal signal `resume` with %s as its input', async (_form, given, value) => {
      const talk = await asked(world().talk(), { id: 'i1' });
      await talk.signal('resume', given);
      await talk.until((view) => view.status === 'idle');
      expect(resumeOf(talk)).toEqual([{ interruptId: 'i1', value }]);
    });

    it('are closed by an edit of the state, and then get no default answer', async () => {
      const at = (ms: number) => new Date(Date.now() + ms).toISOString();
      const [first, second] = [
        { id: 'i1', deadline: at(1_500) },
        { id: 'i2', deadline: at(2_500) },
      ];
      const talk = await asked(world().talk(), first, second);
      await talk.signal('edited', { closed: ['i1', 'nobody asked'], status: 'interrupted' });
      const open = await talk.until((view) => view.interrupts.length === 1);
      expect(open).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i2' }] });
      await talk.until((view) => view.status === 'idle' && view.turns === 2);
      expect(resumeOf(talk)).toEqual([{ interruptId: 'i2' }]);
      const alone = await asked(world().talk(), { id: 'i3', deadline: at(3_600_000) });
      await alone.signal('edited', { closed: ['i3'], status: 'idle' });
      expect(await alone.until((view) => view.status === 'idle')).toMatchObject({ interrupts: [], notes: [] });
      await alone.signal('edited', { closed: 'i3', status: 'idle' });
      expect((await alone.until((view) => view.notes.length > 0)).notes).toMatchObject([
        { text: 'signal edited was not followed: edited.closed is i3; expected a list of interrupt ids' },
      ]);
    });

    it('can be answered only once: a second resume update is refused, and a second resume signal only adds a note', async () => {
      const talk = await asked(world().talk(), { id: 'i1' });
      const { step, open } = gate();
      talk.otherSteps = step;
      await talk.resume({ value: 'yes' });
      expect((await refusal(talk.resume({ value: 'no' })))[0]).toBe('conflict');
      await talk.signal('resume', 'no');
      const { notes } = await talk.until((view) => view.notes.length === 1);
      expect(notes[0]?.text).toMatch(/^signal resume was not followed: thread .* (no open question|an answer|before)/);
      open();
      expect(await talk.settled()).toMatchObject({ status: 'idle', turns: 2 });
      expect(resumeOf(talk)).toEqual([{ interruptId: 'i1', value: 'yes' }]);
    });

    it('stay open until each is answered: if several are open, an answer must name one of them by its id', async () => {
      const talk = await asked(world().talk(), { id: 'i1' }, { id: 'i2' });
      talk.otherSteps = (task) => (talk.recorded.length === 1 ? asks({ id: 'i2' }) : done(task));
      expect(await refusal(talk.resume({ value: 'yes' }))).toEqual([
        'conflict',
        `thread ${talk.threadId} has 2 open questions; name one as interruptId: i1, i2`,
      ]);
      expect(await refusal(talk.resume({ interruptId: 'i3', value: 'yes' }))).toEqual([
        'conflict',
        `thread ${talk.threadId} does not wait for interrupt i3; open: i1, i2`,
      ]);
      await talk.resume({ interruptId: 'i1', value: 1 });
      expect((await talk.settled()).interrupts.map(({ id }) => id)).toEqual(['i2']);
      await talk.resume({ value: 2 });
      expect(await talk.settled()).toMatchObject({ status: 'idle', turns: 3 });
      expect(resumeOf(talk)).toEqual([
        { interruptId: 'i1', value: 1 },
        { interruptId: 'i2', value: 2 },
      ]);
    });

    it('must exist before an answer: the conversation refuses an answer if no question is open', async () => {
      const talk = world().talk();
      await talk.submit('r1');
      await talk.settled();
      expect(await refusal(talk.resume({ value: 'yes' }))).toEqual([
        'conflict',
        `thread ${talk.threadId} has no open question; there is nothing to answer`,
      ]);
    });

    it('get their default answer at the deadline, even after continue-as-new', async () => {
      const talk = world().talk();
      await talk.submit('r1');
      await talk.settled();
      const deadline = new Date(Date.now() + 1_000).toISOString();
      await asked(talk, { id: 'i1', deadline });
      await talk.call((call) => call.name === 'recordRun');
      await talk.settled();
      expect(talk.recorded.map(({ run }) => run)).toEqual([{ resume: { interruptId: 'i1' }, byDeadline: true }]);
    });

    it('are closed without an answer when a run with new input starts, and their deadline timer is cancelled', async () => {
      const talk = world().talk();
      const deadline = new Date(Date.now() + 2_000).toISOString();
      await asked(talk, { id: 'i1', deadline });
      await talk.submit('r2');
      await talk.until((view) => view.last?.runId === 'r2');
      const { events } = await talk.handle.fetchHistory();
      const started = events?.filter((event) => event.timerStartedEventAttributes).length;
      const cancelled = events?.filter((event) => event.timerCanceledEventAttributes).length;
      if (!continuesAsNew(mode)) expect([started, cancelled]).toEqual([1, 1]);
      expect(talk.recorded).toEqual([]);
      expect(await talk.state()).toMatchObject({ status: 'idle', interrupts: [] });
    });

    it('stay open if the conversation refuses an answer because the operator who sent it may not answer', async () => {
      const talk = await asked(world().talk(), { id: 'i1' });
      talk.record = () => ({ refused: 'principal operator may not answer' });
      await talk.signal('resume', 'approve');
      const view = await talk.until(({ notes }) => notes.length === 1);
      expect(view).toMatchObject({ status: 'interrupted', interrupts: [{ id: 'i1' }] });
      expect(view.notes[0]?.text).toMatch(/^run .* was refused: principal operator may not answer$/);
    });
  });
});
