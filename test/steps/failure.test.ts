import { describe, expect, it } from '@jest/globals';
import { ColloquyError } from '../../protocol/index.js';
import { classifyFailure } from '../../steps/index.js';

describe('a failure of a step', () => {
  it.each([
    ['status 401', Object.assign(new Error('no key'), { status: 401 }), 'final'],
    ['status 400', Object.assign(new Error('bad'), { status: 400 }), 'final'],
    ['status 429', Object.assign(new Error('slow down'), { status: 429 }), 'transient'],
    ['status 500', Object.assign(new Error('oops'), { status: 500 }), 'transient'],
    ['a reset connection', Object.assign(new Error('read'), { code: 'ECONNRESET' }), 'transient'],
    ['a cut stream', new TypeError('terminated'), 'transient'],
    [
      'a network error that is the cause of another error',
      new Error('call failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }),
      'transient',
    ],
    [
      'parallel failures, all transient',
      new AggregateError([Object.assign(new Error('a'), { status: 503 })]),
      'transient',
    ],
    [
      'parallel failures, one of them not transient',
      new AggregateError([Object.assign(new Error('a'), { status: 503 }), new Error('b')]),
      'final',
    ],
    ['an error of the graph', new TypeError('undefined is not a function'), 'final'],
    ['a lost fence', new ColloquyError('fence_lost', 'thread t has moved on'), 'infrastructure'],
    ['a database that does not answer', new ColloquyError('unavailable', 'no answer'), 'infrastructure'],
    ['a value that is too large', new ColloquyError('too_large', '17 MB'), 'final'],
    ['a thrown string', 'nope', 'final'],
  ])('is classified as final, transient or infrastructure: %s', (_name, error, kind) => {
    expect(classifyFailure(error).kind).toBe(kind);
  });

  it('contains the name and the message of the error, which clients see', () => {
    expect(classifyFailure(new TypeError('x is 0')).error).toEqual({ error: 'TypeError', message: 'x is 0' });
    expect(classifyFailure('nope').error).toEqual({ error: 'Error', message: 'nope' });
  });

  it.each([
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after-ms': '250' }, 250],
    [new Headers({ 'retry-after': '1' }), 1_000],
    [{ 'retry-after': '31536000' }, 6 * 3_600_000],
    [{ 'retry-after-ms': '1e12' }, 6 * 3_600_000],
  ])('contains the pause that a server requests in the headers %j, but at most six hours', (headers, expected) => {
    const error = Object.assign(new Error('slow down'), { status: 429, headers });
    expect(classifyFailure(error).retryAfterMs).toBe(expected);
  });
});
