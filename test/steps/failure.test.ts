import { describe, expect, it } from '@jest/globals';
import { ColloquyError } from '../../protocol/index.js';
import { classifyFailure, describeError } from '../../steps/index.js';

/** Returns an object, an error by default, whose given fields throw when they are read. */
function withBrokenFields<T extends object>(fields: string[], target: T = new Error('boom') as unknown as T): T {
  for (const field of fields) {
    Object.defineProperty(target, field, {
      enumerable: true,
      get() {
        throw new Error(`${field} cannot be read`);
      },
    });
  }
  return target;
}

function circularCause(): Error {
  const error = new Error('it causes itself');
  error.cause = error;
  return error;
}

function circularList(copies: number): AggregateError {
  const error = new AggregateError([], 'it contains itself');
  error.errors = Array.from({ length: copies }, () => error);
  return error;
}

function deepCause(innermost: object): Error {
  let error = innermost;
  for (let level = 0; level < 20_000; level += 1) error = new Error(`level ${level}`, { cause: error });
  return error as Error;
}

function circularObject(): object {
  const value: Record<string, unknown> = { a: 1 };
  value.self = value;
  return value;
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Returns a proxy for an error. Every operation on the proxy throws. */
function brokenProxy(): object {
  const fail = () => {
    throw new Error('no access');
  };
  const traps = ['get', 'set', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'apply'];
  return new Proxy(new Error('hidden'), Object.fromEntries(traps.map((trap) => [trap, fail])));
}

/** Returns the error that is thrown if LangGraph marks a value that a node has thrown. */
function refusedMark(value: unknown): unknown {
  try {
    (value as { pregelTaskId: string }).pregelTaskId = 'task';
  } catch (error) {
    return error;
  }
  throw new Error('the value can be marked');
}

/** Returns nested objects with two references to the next one each, so their JSON text has 2^40 parts. */
function exponential(): object {
  let value: object = {};
  for (let level = 0; level < 40; level += 1) value = { left: value, right: value };
  return value;
}

class Boom {
  readonly message = 'boom';
}

class QuotaError extends Error {
  override readonly name = 'QuotaError';
}

const lost = (reason: string) =>
  `a node threw an object that LangGraph cannot change, so its message is lost (${reason})`;
const UNREADABLE = 'the thrown value cannot be shown as text';

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
      new AggregateError(Array.from({ length: 200 }, () => Object.assign(new Error('a'), { status: 503 }))),
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
    ['a cause that is the error itself', circularCause(), 'final'],
    ['a list of errors that contains itself', circularList(100), 'final'],
    ['a deep chain of causes', deepCause(Object.assign(new Error('x'), { status: 503 })), 'final'],
    ['a list of errors whose traps throw', { message: 'x', errors: brokenProxy() }, 'final'],
    ['a list of errors that is a revoked proxy', { message: 'x', errors: revokedProxy() }, 'final'],
    [
      'a status that can be read beside fields that cannot',
      withBrokenFields(['message', 'cause', 'headers'], { status: 503 }),
      'transient',
    ],
    ['a proxy whose traps throw', brokenProxy(), 'final'],
    ['an error with our name and code', { name: 'ColloquyError', code: 'unavailable', message: 'x' }, 'final'],
    ['an error with our prototype', Object.create(ColloquyError.prototype, { code: { value: 'fence_lost' } }), 'final'],
    ['a copy of one of our errors', { ...new ColloquyError('fence_lost', 'x') }, 'final'],
    ['an error with the name of a cancellation', Object.assign(new Error('x'), { name: 'CancelledFailure' }), 'final'],
    ['an error with the name of an abort', Object.assign(new Error('x'), { name: 'AbortError' }), 'final'],
    ['an error with the name of a drained graph', Object.assign(new Error('x'), { name: 'GraphDrained' }), 'final'],
  ])('is classified as final, transient or infrastructure: %s', (_name, error, kind) => {
    expect(classifyFailure(error).kind).toBe(kind);
  });

  it.each<[title: string, thrown: unknown, error: string, message: string]>([
    ['an error', new TypeError('x is 0'), 'TypeError', 'x is 0'],
    ['an error class of the project', new QuotaError('no credit'), 'QuotaError', 'no credit'],
    ['an error of Colloquy', new ColloquyError('too_large', '17 MB'), 'ColloquyError', '17 MB'],
    [
      'an error of Colloquy with the name of an error of the project',
      new ColloquyError('graph_failed', 'factory threw', { errorName: 'QuotaError' }),
      'QuotaError',
      'factory threw',
    ],
    ['an error with an `errorName` that is not ours', { errorName: 'X', message: 'y' }, 'Error', 'y'],
    ['an error without a message', new Error(), 'Error', ''],
    ['a string', 'nope', 'Error', 'nope'],
    ['undefined', undefined, 'Error', 'undefined'],
    ['null', null, 'Error', 'null'],
    ['a number', 5, 'Error', '5'],
    ['a bigint', 5n, 'Error', '5'],
    ['a symbol', Symbol('a symbol'), 'Error', 'Symbol(a symbol)'],
    ['a function', function thrown() {}, 'Error', 'function thrown() {}'],
    ['a class', Boom, 'Error', expect.stringContaining('class Boom') as never],
    ['a plain object', { code: 7, big: 1n }, 'Error', '{"code":7,"big":"1"}'],
    ['a plain object that LangGraph has marked', { code: 7, pregelTaskId: 'task' }, 'Error', '{"code":7}'],
    ['an empty object', {}, 'Error', '{}'],
    ['a list', [1, 'two'], 'Error', '[1,"two"]'],
    ['an instance of a class', new Boom(), 'Error', 'boom'],
    ['a promise', Promise.resolve(1), 'Error', '[object Promise]'],
    ['a map', new Map([[1, 2]]), 'Error', '[object Map]'],
    ['an object without prototype', Object.assign(Object.create(null) as object, { message: 'bare' }), 'Error', 'bare'],
    ['a circular object', circularObject(), 'Error', '<ref *1> { a: 1, self: [Circular *1] }'],
    ['an object with an endless JSON text', exponential(), 'Error', expect.stringContaining('left') as never],
    ['a cause that is the error itself', circularCause(), 'Error', 'it causes itself'],
    ['a list of errors that contains itself', circularList(2), 'AggregateError', 'it contains itself'],
    ['a frozen error', Object.freeze(new Error('frozen')), 'Error', 'frozen'],
    ['a name and a message of other types', { name: Symbol('n'), message: 42 }, 'Error', '42'],
    ['a message that is an object', { name: 7, message: { list: [1, 2] } }, 'Error', '{"list":[1,2]}'],
    ['a message that is a symbol', { message: Symbol('m') }, 'Error', 'Symbol(m)'],
    ['a message that is circular', { message: circularObject() }, 'Error', '<ref *1> { a: 1, self: [Circular *1] }'],
    ['a message that is undefined', { message: undefined, reason: 'x' }, 'Error', '{"reason":"x"}'],
    ['an empty name', Object.assign(new Error('x'), { name: '' }), 'Error', 'x'],
    ['a name that cannot be read', withBrokenFields(['name']), 'Error', 'boom'],
    ['fields that cannot be read', withBrokenFields(['stack', 'cause', 'code', 'status', 'headers']), 'Error', 'boom'],
    ['a message that cannot be read', withBrokenFields(['message'], {}), 'Error', '{ message: [Getter] }'],
    [
      'a method `toJSON` that cannot be read',
      withBrokenFields(['toJSON'], { a: 1 }),
      'Error',
      '{ a: 1, toJSON: [Getter] }',
    ],
    [
      'a method `toString` that throws',
      Object.assign(() => undefined, {
        toString() {
          throw new Error('no text');
        },
      }),
      'Error',
      UNREADABLE,
    ],
    ['a proxy whose traps throw', brokenProxy(), 'Error', expect.stringContaining('Error: hidden') as never],
    ['a revoked proxy', revokedProxy(), 'Error', '<Revoked Proxy>'],
    ['half of a surrogate pair', new Error('a \ud83d b \ude00'), 'Error', 'a \ufffd b \ufffd'],
    ['half of a surrogate pair in the name', { name: 'X\ud83d', message: 'x' }, 'X\ufffd', 'x'],
    ['a whole surrogate pair, and NUL', new Error('\u{1f600} \0'), 'Error', '\u{1f600} \0'],
    ['a string that LangGraph could not mark', refusedMark("it's\nhere"), 'Error', "it's\nhere"],
    ['undefined that LangGraph could not mark', refusedMark(undefined), 'Error', 'undefined'],
    ['null that LangGraph could not mark', refusedMark(null), 'Error', 'null'],
    ['a symbol that LangGraph could not mark', refusedMark(Symbol('s')), 'Error', 'Symbol(s)'],
    ['a bigint that LangGraph could not mark', refusedMark(5n), 'Error', '5'],
    [
      'a frozen error that LangGraph could not mark',
      refusedMark(Object.freeze(new Error('frozen'))),
      'TypeError',
      lost('Cannot add property pregelTaskId, object is not extensible'),
    ],
    [
      'a revoked proxy that LangGraph could not mark',
      refusedMark(revokedProxy()),
      'TypeError',
      lost("Cannot perform 'set' on a proxy that has been revoked"),
    ],
    [
      'a proxy that refuses the mark',
      refusedMark(new Proxy({}, { set: () => false })),
      'TypeError',
      lost("'set' on proxy: trap returned falsish for property 'pregelTaskId'"),
    ],
  ])('has the name and the message of what was thrown: %s', (_title, thrown, error, message) => {
    expect(describeError(thrown)).toEqual({ error, message });
    expect(classifyFailure(thrown)).toMatchObject({ kind: 'final', error: { error, message } });
  });

  it('has the whole text, of any length', () => {
    const text = 'x'.repeat(5_000_000);
    expect(describeError(new Error(text)).message).toBe(text);
    expect(describeError(refusedMark(text)).message).toBe(text);
  });

  it.each([
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after-ms': '250' }, 250],
    [{ 'retry-after-ms': '0.25' }, 1],
    [new Headers({ 'retry-after': '1' }), 1_000],
    [{ 'retry-after': '31536000' }, 6 * 3_600_000],
    [{ 'retry-after-ms': '1e12' }, 6 * 3_600_000],
    [{ 'retry-after-ms': 'soon', 'retry-after': '3' }, 3_000],
    [{ get: () => Symbol('soon') }, undefined],
  ])('contains the pause that a server requests in the headers %j, but at most six hours', (headers, expected) => {
    const error = Object.assign(new Error('slow down'), { status: 429, headers });
    expect(classifyFailure(error).retryAfterMs).toBe(expected);
  });

  it.each([Number.NaN, -1, '5', 5n, undefined])(
    'ignores a field `retryAfterMs` that is no pause: %p',
    (retryAfterMs) => {
      const error = Object.assign(new Error('slow down'), { status: 429, retryAfterMs });
      expect(classifyFailure(error)).toMatchObject({ kind: 'transient' });
      expect(classifyFailure(error).retryAfterMs).toBeUndefined();
    },
  );

  it('finds no pause in headers that cannot be read', () => {
    const error = Object.assign(new Error('slow down'), { status: 429, headers: brokenProxy() });
    expect(classifyFailure(error)).toEqual({
      kind: 'transient',
      error: { error: 'Error', message: 'slow down' },
      cause: error,
    });
  });

  it('finds no pause in a chain of causes that has no end', () => {
    const error = Object.assign(circularCause(), { status: 429 });
    expect(classifyFailure(error).retryAfterMs).toBeUndefined();
  });
});
