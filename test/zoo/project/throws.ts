/** Nodes that throw every kind of value, because JavaScript lets code throw any. */
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const MEGABYTE = 1_000_000;
const DEEP = 10_000;

class PaymentError extends Error {
  override readonly name = 'PaymentError';
}

function withCause(): Error {
  const error = new Error('its own cause');
  error.cause = error;
  return error;
}

function withLongChain(): Error {
  let error = new Error('the first of many');
  for (let depth = 0; depth < DEEP; depth += 1) error = new Error('one of many', { cause: error });
  return error;
}

function withGetter(field: string): Error {
  return Object.defineProperty(new Error('an error with a getter'), field, {
    get: () => {
      throw new Error(`thrown by the getter of ${field}`);
    },
  });
}

const refuses = () => {
  throw new Error('a proxy that refuses everything');
};
const REFUSES = { get: refuses, has: refuses, ownKeys: refuses, getPrototypeOf: refuses };

function circular(): object {
  const value: Record<string, unknown> = { kind: 'circular' };
  value['self'] = value;
  return value;
}

const VALUES: Record<string, (megabytes: number) => unknown> = {
  error: () => new Error('an error'),
  'type-error': () => new TypeError('a type error'),
  custom: () => new PaymentError('a custom error'),
  'empty-message': () => new Error(''),
  aggregate: () => new AggregateError([new Error('one'), new Error('two')], 'two errors'),
  'dom-exception': () => new DOMException('a DOM exception', 'DataError'),
  frozen: () => Object.freeze(new Error('a frozen error')),
  'self-cause': withCause,
  'long-chain': withLongChain,
  'circular-field': () => Object.assign(new Error('a circular field'), { detail: circular() }),
  'to-json': () => Object.assign(new Error('with toJSON'), { toJSON: refuses }),
  'name-number': () => Object.assign(new Error('its name is a number'), { name: 42 }),
  'name-empty': () => Object.assign(new Error('it has no name'), { name: '' }),
  'message-object': () => Object.assign(new Error(), { message: { text: 'not a string' } }),
  'getter-message': () => withGetter('message'),
  'getter-name': () => withGetter('name'),
  'getter-stack': () => withGetter('stack'),
  'getter-cause': () => withGetter('cause'),
  'getter-code': () => withGetter('code'),
  'getter-errors': () => withGetter('errors'),
  'lone-surrogate': () => new Error('half of a pair: \ud800'),
  'nul-byte': () => new Error('a zero: \u0000'),
  'dotted-keys': () => Object.assign(new Error('keys of a database'), { 'a.b': 1, $set: { x: 1 } }),
  large: (megabytes) => new Error('m'.repeat(megabytes * MEGABYTE)),
  'large-stack': (megabytes) => Object.assign(new Error('a large stack'), { stack: 's'.repeat(megabytes * MEGABYTE) }),
  'large-name': (megabytes) => Object.assign(new Error('a large name'), { name: 'n'.repeat(megabytes * MEGABYTE) }),
  string: () => 'a string',
  'empty-string': () => '',
  number: () => 42,
  nan: () => Number.NaN,
  zero: () => 0,
  null: () => null,
  undefined: () => undefined,
  false: () => false,
  bigint: () => 42n,
  symbol: () => Symbol('a symbol'),
  function: () => function thrown() {},
  object: () => ({ reason: 'an object' }),
  'object-message': () => ({ message: 'an object with a message' }),
  'object-bare': () => Object.create(null) as unknown,
  'object-circular': circular,
  array: () => ['an', 'array'],
  date: () => new Date(0),
  map: () => new Map([['a', 1]]),
  proxy: () => new Proxy({}, REFUSES),
  'proxy-error': () => new Proxy(new Error('behind a proxy'), REFUSES),
  promise: () => Promise.resolve('a promise'),
  response: () => new Response('a response', { status: 400 }),
};

function throwIt({ how, megabytes }: RequestState, config: LangGraphRunnableConfig): RequestUpdate {
  record(config, 'throw');
  throw select(VALUES, how)(megabytes);
}

export const throws = new StateGraph(Request)
  .addNode('throw', throwIt)
  .addEdge(START, 'throw')
  .addEdge('throw', END)
  .compile();

/** A node with a policy of its own. It fails as a gateway does. */
export const policy = new StateGraph(Request)
  .addNode(
    'fail',
    (_, config) => {
      record(config, 'fail');
      throw Object.assign(new Error('bad gateway'), { status: 502 });
    },
    { retryPolicy: { maxAttempts: 3, initialInterval: 50, maxInterval: 50, jitter: false, logWarning: false } },
  )
  .addEdge(START, 'fail')
  .addEdge('fail', END)
  .compile();
