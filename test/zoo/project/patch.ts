/**
 * Animals that replace parts of JavaScript for the whole process, as libraries for tests, tracing
 * and old browsers do. Each is a graph of its own, because the change stays after its run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { END, START, StateGraph } from '@langchain/langgraph';
import { Request, record } from './ledger.js';

/** Longer than `COLLOQUY_JOIN_QUICK_STEPS_MS`, in ms. */
const SLOW_MS = 150;

function patching(patch: () => void) {
  return new StateGraph(Request)
    .addNode('patch', async (_, config) => {
      record(config, 'patch');
      // A slow node, so that the next one runs in a step of its own.
      await sleep(SLOW_MS);
      patch();
      return { done: ['patch'] };
    })
    .addNode('after', (_, config) => {
      record(config, 'after');
      return { done: ['after'] };
    })
    .addEdge(START, 'patch')
    .addEdge('patch', 'after')
    .addEdge('after', END)
    .compile();
}

export const json = patching(() => {
  const stringify = JSON.stringify.bind(JSON) as (value: unknown) => string;
  JSON.stringify = ((value: unknown) => `${stringify(value)}\n`) as typeof JSON.stringify;
});

export const clock = patching(() => {
  Date.now = () => 0;
});

/** As fake timers of a test library that nobody restores. */
export const timers = patching(() => {
  globalThis.setTimeout = (() => ({ unref() {}, ref() {}, hasRef: () => false })) as never;
  globalThis.setInterval = globalThis.setTimeout as never;
  globalThis.setImmediate = globalThis.setTimeout as never;
});

/** As libraries for tracing do. */
export const then = patching(() => {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const original = Promise.prototype.then;

  Promise.prototype.then = function patched(this: Promise<unknown>, ...handlers: unknown[]) {
    return Reflect.apply(original, this, handlers) as never;
  } as never;
});

export const array = patching(() => {
  Object.assign(Array.prototype, { last: () => undefined, flatten: () => undefined });
});

export const object = patching(() => {
  Object.assign(Object.prototype, { polluted: 'yes' });
});

export const stack = patching(() => {
  Error.stackTraceLimit = 0;
  Error.prepareStackTrace = () => {
    throw new Error('thrown while a stack is formatted');
  };
});

export const globals = patching(() => {
  for (const name of ['fetch', 'structuredClone', 'AbortController', 'queueMicrotask', 'performance']) {
    Reflect.deleteProperty(globalThis, name);
  }
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) console[name] = () => {};
});
