import { describe, expect, it } from '@jest/globals';
import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { infrastructureFailure, stepFailure } from '../../activities/failures.js';
import type { KeptError } from '../../protocol/index.js';
import { classifyFailure, describeError } from '../../steps/index.js';
import { DEFAULT_STEP_OPTIONS, FAILURES } from '../../workflows/contract.js';

const LONG = 'x'.repeat(5_000_000);
const MARK = "… (5,000,000 characters; the run's record has the whole text)";

/** Returns the failure of a step whose node has thrown `thrown`, and the errors that were kept. */
async function failed(thrown: unknown, failures = 1) {
  const kept: KeptError[] = [];
  const failure = await stepFailure(classifyFailure(thrown), DEFAULT_STEP_OPTIONS, failures, async (one) => {
    kept.push(one);
  });
  return { failure, kept };
}

/** Returns how many bytes the failure has for Temporal: in Protocol Buffers. */
function bytesOf(failure: Error): number {
  const converted = defaultFailureConverter.errorToFailure(failure, defaultPayloadConverter);
  return temporal.api.failure.v1.Failure.encode(converted).finish().length;
}

function selfCausing(message: string, name = 'Error'): Error {
  const error = new Error(message);
  error.name = name;
  error.cause = error;
  return error;
}

function chain(levels: number): Error {
  let error = new Error(LONG);
  for (let level = 0; level < levels; level += 1) error = new Error(`${level} ${LONG}`, { cause: error });
  return error;
}

describe('a failure of a step, as Temporal gets it', () => {
  it.each<[title: string, thrown: unknown]>([
    ['a message of 5 MB', new Error(LONG)],
    ['a name of 5 MB', Object.assign(new Error('x'), { name: LONG })],
    ['a stack of 5 MB', Object.assign(new Error('x'), { stack: `Error: x\n    at ${LONG}` })],
    ['a cause of 5 MB that is the error itself', selfCausing(LONG)],
    ['a chain of causes of 5 MB each', chain(50)],
    ['a transient error of 5 MB', Object.assign(selfCausing(LONG, LONG), { status: 503 })],
    ['5 MB of NUL', new Error('\0'.repeat(5_000_000))],
    ['5 MB of letters of three bytes', new Error('字'.repeat(1_700_000))],
    ['a string', LONG],
  ])('has at most 64 KB: %s', async (_title, thrown) => {
    const { failure } = await failed(thrown);
    expect(bytesOf(failure)).toBeLessThan(64_000);
  });

  it('has the beginning of the message, and a mark, if the whole message was kept', async () => {
    const { failure, kept } = await failed(new RangeError(LONG));
    const shown = { error: 'RangeError', message: 'x'.repeat(4_000 - MARK.length) + MARK };
    expect(failure).toMatchObject({
      type: FAILURES.graph,
      message: shown.message,
      nonRetryable: true,
      details: [shown],
    });
    expect(kept).toEqual([{ error: { error: 'RangeError', message: LONG }, shown }]);
  });

  it('keeps nothing if no text was cut, or if the step is retried', async () => {
    expect((await failed(new Error('short'))).kept).toEqual([]);
    expect((await failed(Object.assign(new Error(LONG), { status: 503 }))).kept).toEqual([]);
    const last = await failed(Object.assign(new Error(LONG), { status: 503 }), DEFAULT_STEP_OPTIONS.maximumAttempts);
    expect(last.kept).toHaveLength(1);
  });

  it('has the cause with its name, its message and its frames, and the causes of the cause', async () => {
    const inner = new TypeError('the reason');
    const { failure } = await failed(new Error('it failed', { cause: inner }));
    const { cause } = failure as { cause?: Error };
    expect(cause).toMatchObject({
      name: 'Error',
      message: 'it failed',
      cause: { name: 'TypeError', message: 'the reason' },
    });
    expect(cause?.stack).toMatch(/^Error: it failed\n {4}at .*failures\.test/);
    expect((cause?.cause as Error).stack).toMatch(/^TypeError: the reason\n {4}at .*failures\.test/);
  });

  it('has valid Unicode in the stack of the cause', async () => {
    const { failure } = await failed(Object.assign(new Error('x'), { stack: 'Error: x\n    at half \ud83d' }));
    expect((failure.cause as Error).stack).toBe('Error: x\n    at half \ufffd');
  });

  it.each(['GraphFailed', 'fence_lost', 'head_moved', 'worker_stopped', 'unavailable'])(
    'does not get the type of a failure of Colloquy from the name of an error of a node: %s',
    async (name) => {
      const { failure } = await failed(Object.assign(new Error('a liar'), { name, status: 503 }));
      expect(failure).toMatchObject({ type: `node error ${name}`, nonRetryable: false, message: 'a liar' });
    },
  );

  it('of the infrastructure has short texts too', () => {
    const thrown = selfCausing(LONG, LONG);
    const failure = infrastructureFailure(thrown, describeError(thrown));
    expect(bytesOf(failure)).toBeLessThan(64_000);
    expect(failure.message).toMatch(/^x+… \(5,000,000 characters\)$/);
  });
});
