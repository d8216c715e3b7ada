/**
 * A node that puts a value into the state, and one that says what it finds there: in the same turn,
 * and in the next one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { HumanMessage, isBaseMessage } from '@langchain/core/messages';
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { record, select } from './ledger.js';

const MEGABYTES = 20;
const DEEP = 500;

/** Returns the same line for equal values, however large they are. */
function describe(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  if (value instanceof URL) return `URL ${value.href}`;
  if (value instanceof Error) return `${value.constructor.name} ${value.name}: ${value.message}`;
  if (isBaseMessage(value)) return `${value.constructor.name} ${value.id}: ${value.text}`;
  return inspect(value, { depth: 4, breakLength: Infinity, compact: true, maxArrayLength: 6, maxStringLength: 40 });
}

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

function circular(): object {
  const value: Record<string, unknown> = { kind: 'circular' };
  value['self'] = value;
  return value;
}

function deep(): object {
  let value: object = { end: true };
  for (let depth = 0; depth < DEEP; depth += 1) value = { value };
  return value;
}

const sparse = () => [1, , 3];

const VALUES: Record<string, () => unknown> = {
  date: () => new Date(0),
  map: () => new Map([['a', 1]]),
  set: () => new Set(['a', 'b']),
  bigint: () => 42n,
  'class-instance': () => new Point(1, 2),
  function: () => function kept() {},
  symbol: () => Symbol('a symbol'),
  circular,
  'typed-array': () => new Uint8Array([1, 2, 3]),
  floats: () => new Float64Array([0.5, 1.5]),
  buffer: () => Buffer.from('abc'),
  'array-buffer': () => new ArrayBuffer(4),
  regexp: () => /a+/gi,
  url: () => new URL('http://example.com/a?b=c'),
  error: () => new TypeError('kept in the state'),
  undefined: () => undefined,
  'undefined-field': () => ({ a: undefined, b: 1 }),
  null: () => null,
  nan: () => Number.NaN,
  infinity: () => -Infinity,
  'minus-zero': () => -0,
  sparse,
  'invalid-date': () => new Date(Number.NaN),
  'nested-date': () => ({ list: [{ at: new Date(0) }] }),
  'nested-map': () => new Map([['inner', new Map([['a', new Set([1])]])]]),
  'bare-object': () => Object.assign(Object.create(null) as object, { a: 1 }),
  deep,
  'dotted-key': () => ({ 'a.b': 1 }),
  'dollar-key': () => ({ $set: { a: 1 } }),
  'proto-key': () => JSON.parse('{"__proto__":{"polluted":true},"a":1}') as unknown,
  'lc-key': () => ({ lc: 1, type: 'constructor', id: ['zoo', 'Point'], kwargs: { x: 1 } }),
  'to-json': () => ({ a: 1, toJSON: () => ({ b: 2 }) }),
  getter: () => ({
    get a() {
      return 1;
    },
  }),
  'shared-reference': () => {
    const one = { a: 1 };
    return [one, one];
  },
  'lone-surrogate': () => 'half of a pair: \ud800',
  'nul-byte': () => 'a zero: \u0000',
  'empty-key': () => ({ '': 1 }),
  'large-integer': () => 2 ** 60,
  promise: () => Promise.resolve(1),
  'weak-map': () => new WeakMap(),
  proxy: () => new Proxy({ a: 1 }, {}),
  message: () => new HumanMessage({ content: 'hello', id: 'm1' }),
  'large-string': () => 'x'.repeat(MEGABYTES * 1_000_000),
};

const State = Annotation.Root({
  how: Annotation<string>,
  /** How long `make` takes, in ms. A superstep of 100 ms or more ends its step. */
  pause: Annotation<number>,
  value: Annotation<unknown>,
  seen: Annotation<string[]>({ reducer: (old, added) => [...old, ...added], default: () => [] }),
});

export const state = new StateGraph(State)
  .addNode('make', async ({ how, pause = 0 }, config) => {
    record(config, 'make');
    await sleep(pause);
    return { value: select(VALUES, how)() };
  })
  .addNode('read', ({ value }, config) => {
    record(config, 'read');
    return { seen: [describe(value)] };
  })
  .addConditionalEdges(START, ({ how }) => (how === 'read' ? 'read' : 'make'), ['make', 'read'])
  .addEdge('make', 'read')
  .addEdge('read', END)
  .compile();
