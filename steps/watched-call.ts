import { types } from 'node:util';
import { isObject } from './thrown-value.js';

type Then = (this: unknown, resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void;

/**
 * Calls code of a project, and then `ended` once: when its promise has settled, or at once if it
 * returns no promise or throws. Returns what the code returns, except for a thenable that is no
 * promise. Such a thenable is often a query of a database library, which is executed each time that
 * its `then` is called. So `then` is called only once, and the result is a promise.
 */
export function callWatched<T>(code: () => T, ended: () => void): T {
  let promise: Promise<unknown> | undefined;
  let result: T;
  try {
    result = code();
    promise = promiseOf(result);
  } catch (error) {
    ended();
    throw error;
  }
  if (promise === undefined) {
    ended();
    return result;
  }
  promise.then(ended, ended);
  return promise as T;
}

/** Returns a promise for a value, or undefined if `await` would not wait for the value. */
function promiseOf(value: unknown): Promise<unknown> | undefined {
  if (!isObject(value)) return undefined;
  // If this throws, `await` would throw the same.
  const { then } = value as { then?: unknown };
  if (typeof then !== 'function') return undefined;
  // A class may inherit from Promise, and run a query in a `then` of its own.
  if (types.isPromise(value) && then === Promise.prototype.then) return value;
  const once: Then = (resolve, reject) => (then as Then).call(value, resolve, reject);
  return new Promise((resolve) => resolve({ then: once }));
}
