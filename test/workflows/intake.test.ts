import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../protocol/index.js';
import { DEFAULT_SETTINGS, conversationStart, oneLine } from '../../workflows/contract.js';
import {
  readCancel,
  readCancelSignal,
  readInput,
  readMessageSignal,
  readResume,
  readResumeSignal,
  readSubmit,
} from '../../workflows/intake.js';

function fault(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(errorCode(error)).toBe('invalid_argument');
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

describe('a resume signal', () => {
  it.each([
    ['approve', { value: 'approve' }],
    [true, { value: true }],
    [null, { value: null }],
    [{ decision: 'approve' }, { value: { decision: 'approve' } }],
    [['a'], { value: ['a'] }],
    [{ value: 'approve' }, { value: 'approve' }],
    [
      { value: null, interruptId: 'i' },
      { value: null, interruptId: 'i' },
    ],
  ])('may have the input %j', (given, expected) => {
    expect(readResumeSignal(given)).toEqual(expected);
  });

  it('is refused if it has no input, has interruptId but no value, or has an unknown field', () => {
    expect(fault(() => readResumeSignal(undefined))).toBe(
      `resume has no input; expected the answer, as in --input '"approve"'`,
    );
    expect(fault(() => readResumeSignal({ interruptId: 'i' }))).toBe(
      'resume.value is missing: the answer to the question',
    );
    expect(fault(() => readResumeSignal({ value: 1, interrupt_id: 'i' }))).toBe(
      'resume has unknown interrupt_id; it may have value, interruptId',
    );
  });
});

describe('a message signal', () => {
  it('may have a string as its input, or an object with the field input', () => {
    expect(readMessageSignal('hello')).toEqual({ input: 'hello' });
    expect(readMessageSignal({ input: { messages: [] }, assistantId: 'a', key: 'k' })).toEqual({
      input: { messages: [] },
      assistantId: 'a',
      key: 'k',
    });
    expect(readMessageSignal({ input: null })).toEqual({ input: null });
  });

  it.each([undefined, null, '', 7, true, [], ['hello'], {}, { messages: [] }])(
    'is refused if its input is %j',
    (given) => {
      expect(fault(() => readMessageSignal(given))).toMatch(/^message is .*; expected a text, or an object with input/);
    },
  );

  it('is refused if it has an unknown field, or an idempotency key that is not a string', () => {
    expect(fault(() => readMessageSignal({ input: 'x', assistant_id: 'a' }))).toBe(
      'message has unknown assistant_id; it may have input, assistantId, key',
    );
    expect(fault(() => readMessageSignal({ input: 'x', key: 7 }))).toBe(
      'message.key is 7; expected a text of 1 to 256 characters',
    );
  });
});

describe('a cancel signal', () => {
  it.each([
    [undefined, { runIds: 'all', action: 'interrupt' }],
    [null, { runIds: 'all', action: 'interrupt' }],
    ['all', { runIds: 'all', action: 'interrupt' }],
    ['r1', { runIds: ['r1'], action: 'interrupt' }],
    [{ action: 'rollback' }, { runIds: 'all', action: 'rollback' }],
    [{ runIds: ['r1', 'r2'] }, { runIds: ['r1', 'r2'], action: 'interrupt' }],
  ])('may have the input %j', (given, expected) => {
    expect(readCancelSignal(given)).toEqual(expected);
  });

  it('is refused if its input is a number, or has an unknown field or an unknown action', () => {
    expect(fault(() => readCancelSignal(7))).toBe('cancel is 7; expected an object');
    expect(fault(() => readCancelSignal({ run: 'r1' }))).toBe('cancel has unknown run; it may have runIds, action');
    expect(fault(() => readCancelSignal({ action: 'stop' }))).toBe(
      'cancel.action is stop; expected one of interrupt, rollback',
    );
  });
});

describe('the arguments of Temporal updates', () => {
  const submit = { runId: 'r', graphId: 'g', assistantId: 'a', strategy: 'enqueue' };

  it('are read field by field, and unknown fields are left out', () => {
    expect(readSubmit({ ...submit, key: 'k', resumes: true, later: 1 })).toEqual({
      ...submit,
      key: 'k',
      resumes: true,
    });
    expect(readResume({ value: 'yes' })).toEqual({ value: 'yes' });
    expect(readCancel({ runIds: ['r'], action: 'rollback' })).toEqual({ runIds: ['r'], action: 'rollback' });
  });

  it('are refused with an error that names the wrong field and its value', () => {
    expect(fault(() => readSubmit(undefined))).toBe('submit is missing; expected an object');
    expect(fault(() => readSubmit({ ...submit, strategy: 'queue' }))).toBe(
      'submit.strategy is queue; expected one of reject, enqueue, interrupt, rollback',
    );
    expect(fault(() => readSubmit({ ...submit, runId: '' }))).toBe(
      'submit.runId is ; expected a text of 1 to 256 characters',
    );
    expect(fault(() => readSubmit({ ...submit, key: 'k'.repeat(300) }))).toContain('submit.key is kkk');
    expect(fault(() => readResume('yes'))).toBe('resume is yes; expected an object');
    expect(fault(() => readCancel({ runIds: 'r', action: 'interrupt' }))).toBe(
      'cancel.runIds is r; expected a list of run ids, or "all"',
    );
    expect(fault(() => readCancel({ runIds: ['r', 2], action: 'interrupt' }))).toContain('cancel.runIds[1] is 2');
  });
});

describe('the input of the conversation workflow', () => {
  const id = 'conversation/acme/t1';

  it('may be missing or incomplete: missing fields come from the workflow id and the default settings', () => {
    const whole = { tenant: 'acme', threadId: 't1', settings: DEFAULT_SETTINGS };
    expect(readInput(id, undefined)).toEqual(whole);
    expect(readInput(id, { settings: { maxTurns: 5 }, ephemeral: true })).toEqual({
      ...whole,
      settings: { ...DEFAULT_SETTINGS, maxTurns: 5 },
      ephemeral: true,
    });
    expect(readInput(id, whole)).toEqual(whole);
  });

  it('must agree with the workflow id, so that a thread has only one workflow', () => {
    expect(fault(() => readInput('my-chat', undefined))).toBe(
      "workflow id my-chat is not a conversation's; expected conversation/<tenant>/<thread>",
    );
    expect(fault(() => readInput(id, { tenant: 'acme', threadId: 't2' }))).toBe(
      'workflow id is conversation/acme/t1; its input requires conversation/acme/t2',
    );
    expect(fault(() => readInput(id, { settings: { queueLimit: -1 } }))).toBe(
      'settings.queueLimit is -1; expected a whole number from 0',
    );
  });
});

describe('the start of a conversation', () => {
  it('passes workflow id, input, summary and search attributes to the Temporal client', () => {
    const input = { tenant: 'acme', threadId: 't1', settings: DEFAULT_SETTINGS };
    expect(conversationStart(input, { assistantId: 'a1', name: 'hiring' })).toEqual({
      workflowId: 'conversation/acme/t1',
      args: [input],
      staticSummary: 'conversation with hiring',
      typedSearchAttributes: [
        { key: { name: 'ColloquyTenant', type: 'KEYWORD' }, value: 'acme' },
        { key: { name: 'ColloquyAssistant', type: 'KEYWORD' }, value: 'a1' },
        { key: { name: 'ColloquyStatus', type: 'KEYWORD' }, value: 'idle' },
      ],
    });
  });

  it('shortens the workflow’s summary to one line and to less than the 400 bytes that Temporal accepts', () => {
    expect(oneLine('a\n\tb\u0000c ')).toBe('a b c');
    for (const text of ['x', '"', '語', '🙂', '\u0007'].map((character) => character.repeat(500))) {
      expect(Buffer.byteLength(JSON.stringify(oneLine(text)))).toBeLessThan(400);
    }
  });
});
