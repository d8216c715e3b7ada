import { describe, expect, it } from '@jest/globals';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract.js';
import type { StepTask } from '../../workflows/contract.js';
import { asked, continuesAsNew, inEveryMode, refusal } from './harness.js';
import type { Talk } from './world.js';
import { asks, done, goOn } from './script.js';

inEveryMode((world, mode) => {
  describe('signals', () => {
    it('start a conversation even if the sender passes a workflow id but no input for the workflow', async () => {
      const talk = world().talk();
      const { workflowId, taskQueue } = talk.start();
      await world().client.workflow.signalWithStart('conversation', {
        workflowId,
        taskQueue,
        signal: 'message',
        signalArgs: ['hello'],
      });
      expect(await talk.settled()).toMatchObject({ threadId: talk.threadId, turns: 1, last: { status: 'success' } });
      expect(talk.recorded).toMatchObject([
        { tenant: 'workflows-test', threadId: talk.threadId, run: { input: 'hello' } },
      ]);
    });

    it('that are invalid have no effect except a note, which queries and the Web UI show', async () => {
      const talk = world().talk();
      await talk.submit('r1');
      await talk.settled();
      await talk.signal('message', { text: 'hello' });
      await talk.signal('message');
      await talk.signal('message', 'one', 'two');
      await talk.signal('resume');
      await talk.signal('cancel', 42);
      await talk.handle.signal('hello', 1);
      const { notes } = await talk.until((view) => view.notes.length === 6);
      expect(notes.map(({ text }) => text)).toEqual([
        `signal message was not followed: message is an object with text; expected a text, or an object with input, the graph's input`,
        `signal message was not followed: message is missing; expected a text, or an object with input, the graph's input`,
        'signal message was not followed: it takes one input, not 2',
        `signal resume was not followed: resume has no input; expected the answer, as in --input '"approve"'`,
        'signal cancel was not followed: cancel is 42; expected an object',
        'signal hello is unknown; known: message, resume, cancel',
      ]);
      await talk.submit('r2');
      await talk.until((view) => view.last?.runId === 'r2');
    });

    it.each([
      ['weird/encoding', '"hello"', 'Unknown encoding: weird/encoding'],
      ['json/plain', '{hello', "Expected property name or '}' in JSON"],
    ])('whose input cannot be decoded (%s) have no effect except a note', async (encoding, data, cause) => {
      const talk = world().talk();
      await talk.submit('r1');
      await world().client.workflowService.signalWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: talk.workflowId },
        signalName: 'message',
        input: { payloads: [{ metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) }] },
      });
      const { notes } = await talk.until((view) => view.notes.length === 1);
      expect(notes[0]?.text).toContain(`signal message was not followed: its input cannot be read: ${cause}`);
    });

    it('leave a note if the activity recordRun refuses to store their run', async () => {
      const talk = world().talk();
      talk.record = () => ({ refused: 'no assistant named ghost' });
      await talk.signal('message', { input: 'hi', assistantId: 'ghost' });
      const { notes, turns } = await talk.until((view) => view.notes.length === 1);
      expect(notes[0]?.text).toMatch(/^run .* was refused: no assistant named ghost$/);
      expect(turns).toBe(0);
    });
  });

  describe('updates', () => {
    it('are refused if their argument is invalid; the error names field and value', async () => {
      const talk = world().talk();
      await talk.submit('r1');
      expect(await refusal(talk.submit('', {}))).toEqual([
        'invalid_argument',
        'submit.runId is ; expected a text of 1 to 256 characters',
      ]);
      expect((await refusal(talk.handle.executeUpdate('resume', { args: ['yes'] })))[0]).toBe('invalid_argument');
      expect((await refusal(talk.handle.executeUpdate('cancel', { args: [] })))[0]).toBe('invalid_argument');
    });
  });

  describe('a conversation in Temporal’s Web UI', () => {
    async function details(talk: Talk): Promise<string> {
      const metadata = await talk.handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
      return metadata.currentDetails ?? '';
    }

    it('shows the node that asks, where to read the question, and the command to answer it', async () => {
      const talk = await asked(world().talk(), { id: 'i1', deadline: '2999-01-01T00:00:00Z' });
      const read = `\`GET /threads/${talk.threadId}\` of the API shows it in \`interrupts\`.`;
      expect(await details(talk)).toBe(`**Waiting for a person** after 1 turn: 1 question.

1. Node \`approve\` asks question \`i1\`. ${read} At 2999-01-01T00:00:00Z it gets its default answer.

Answer it, with any JSON:

    temporal workflow signal \\
      -w ${talk.workflowId} \\
      --name resume --input '"approve"'

Send a message:

    temporal workflow signal \\
      -w ${talk.workflowId} \\
      --name message --input '"hello"'`);
    });

    it('shows a question’s text and default answer if the worker is configured to show questions', async () => {
      const deadline = '2999-01-01T00:00:00Z';
      const talk = await asked(world().talk(), { id: 'i1', preview: 'Send it?', deadline, defaultAnswer: 'no' });
      expect(await details(talk)).toBe(`**Waiting for a person** after 1 turn: 1 question.

1. Node \`approve\` asks: Send it? At 2999-01-01T00:00:00Z the answer is \`"no"\`.

Answer it, with any JSON:

    temporal workflow signal \\
      -w ${talk.workflowId} \\
      --name resume --input '"approve"'

Send a message:

    temporal workflow signal \\
      -w ${talk.workflowId} \\
      --name message --input '"hello"'`);
    });

    it('shows the text in the field `question` of an object, even if the JSON of the object is cut off', async () => {
      const preview = '{"type":"approval","question":"Send \\"it\\"?","draft":"*one* `two` thr…';
      const talk = await asked(world().talk(), { id: 'i1', preview });
      expect(await details(talk)).toContain(
        `1. Node \`approve\` asks: Send "it"?\n\n\`{"type":"approval","question":"Send \\"it\\"?","draft":"*one* 'two' thr…\``,
      );
    });

    it('shows a question unchanged if it looks like JSON but is not valid JSON', async () => {
      const preview = '{"question":"a \\q"}';
      const talk = await asked(world().talk(), { id: 'i1', preview });
      expect(await details(talk)).toContain(`1. Node \`approve\` asks: ${preview}\n`);
    });

    it('shows the nodes of a step in its activity’s summary, and the conversation’s status in a search attribute', async () => {
      const talk = world().talk();
      talk.steps.set('r1', (task) => (task.step === 1 ? goOn(task, ['tools (search_candidates)']) : asks({ id: 'i' })));
      await talk.submit('r1');
      expect((await talk.settled()).status).toBe('interrupted');
      const events = (await talk.histories()).flatMap((history) => history.events ?? []);
      const summaries = events.flatMap((event) =>
        event.activityTaskScheduledEventAttributes ? [String(event.userMetadata?.summary?.data)] : [],
      );
      expect(summaries).toEqual(['"turn 1, step 1: graph"', '"turn 1, step 2: tools (search_candidates)"']);
      const attribute = { name: SEARCH_ATTRIBUTES.status, type: 'KEYWORD' as const };
      expect((await talk.handle.describe()).typedSearchAttributes.get(attribute)).toBe('interrupted');
      await talk.resume({ value: 'yes' });
      await talk.settled();
      expect((await talk.handle.describe()).typedSearchAttributes.get(attribute)).toBe('idle');
    });

    it('has in its history, for each run, only the events of the run’s update, activities and workflow tasks', async () => {
      if (continuesAsNew(mode) || mode.maxCachedWorkflows === 0) return;
      const talk = world().talk();
      const script = (task: StepTask) => (task.step < 3 ? goOn(task) : done(task));
      for (const id of ['r1', 'r2']) talk.steps.set(id, script);
      await talk.submit('r1');
      await talk.settled();
      const before = (await talk.handle.describe()).historyLength;
      await talk.submit('r2');
      await talk.settled();
      // The update adds 2 history events, and its workflow task adds 3. After that, each of the
      // three steps adds 6: 3 for its activity and 3 for the next workflow task.
      expect((await talk.handle.describe()).historyLength - before).toBe(3 + 2 + 3 * 6);
    });
  });
});
