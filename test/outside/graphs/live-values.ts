/**
 * Graphs whose nodes pass live values to each other: values of `UntrackedValue`, and values that a
 * checkpoint cannot store as they are.
 */
import {
  Annotation,
  END,
  START,
  ReducedValue,
  Send,
  StateGraph,
  StateSchema,
  UntrackedValue,
  UntrackedValueChannel,
  interrupt,
} from '@langchain/langgraph';
import { z } from 'zod';
import { recorded, slowly } from './recorder.js';

/** Adds the new lines. Leaves out those that a subgraph got from its parent and returns. */
const merge = (a: string[], b: string[]) => [...new Set([...a, ...b])];

class Connection {
  #used = 0;
  constructor(readonly to: string) {}
  use(): string {
    this.#used += 1;
    return `${this.to} ${this.#used}`;
  }
}

const list = () => new ReducedValue(z.array(z.string()).default([]), { reducer: merge });

const Untracked = new StateSchema({ to: z.string(), log: list(), connection: new UntrackedValue<Connection>() });
type UntrackedState = { to: string; log: string[]; connection?: Connection };

const use = (node: string) => async (state: UntrackedState) => {
  if (node.startsWith('slow')) await slowly();
  return { log: [`${node}: ${state.connection?.use() ?? 'no connection'}`] };
};

/** One node sets a value of `UntrackedValue`, and the next ones read it. */
export const untracked: unknown = recorded(
  new StateGraph(Untracked)
    .addNode('look', ((state: UntrackedState) => ({
      log: [`look ${state.to}: ${state.connection === undefined ? 'no connection' : 'a connection'}`],
    })) as never)
    .addNode('open', (async (state: UntrackedState) => {
      await slowly();
      return { connection: new Connection(state.to) };
    }) as never)
    .addNode('slow_use', use('slow_use') as never)
    .addNode('quick_use', use('quick_use') as never)
    .addNode('slow_end', use('slow_end') as never)
    .addEdge(START, 'look' as never)
    .addEdge('look' as never, 'open' as never)
    .addEdge('open' as never, 'slow_use' as never)
    .addEdge('slow_use' as never, 'quick_use' as never)
    .addEdge('quick_use' as never, 'slow_end' as never)
    .compile(),
);

const Channels = Annotation.Root({
  log: Annotation<string[]>({ reducer: merge, default: () => [] }),
  secret: () => new UntrackedValueChannel<string>({ guard: false }),
});
type ChannelsState = { log: string[]; secret?: string };

const inside = new StateGraph(Channels)
  .addNode('inside_read', (async ({ secret }: ChannelsState) => {
    await slowly();
    return { log: [`inside_read: ${secret}`], secret: `${secret}!` };
  }) as never)
  .addNode('inside_ask', (({ secret }: ChannelsState) => ({ log: [`inside_ask: ${secret}`] })) as never)
  .addEdge(START, 'inside_read' as never)
  .addEdge('inside_read' as never, 'inside_ask' as never)
  .compile();

/** A channel of the class `UntrackedValueChannel`: in a condition, in parallel tasks, in a subgraph. */
export const untrackedChannel: unknown = recorded(
  new StateGraph(Channels)
    .addNode('set', (async () => {
      await slowly();
      return { secret: 'word', log: ['set'] };
    }) as never)
    .addNode('wait', slowly as never)
    .addNode('work', (async ({ secret }: ChannelsState) => {
      await slowly();
      return { log: [`work: ${secret}`] };
    }) as never)
    .addNode('inside', inside)
    .addNode('none', (() => ({ log: ['none'] })) as never)
    .addEdge(START, 'set' as never)
    .addEdge('set' as never, 'wait' as never)
    .addConditionalEdges(
      'wait' as never,
      (({ secret }: ChannelsState) =>
        secret === undefined ? 'none' : ['a', 'b'].map((n) => new Send('work', { secret: secret + n }))) as never,
      ['work', 'none'] as never,
    )
    .addEdge('work' as never, 'inside' as never)
    .addEdge('inside' as never, END)
    .compile(),
);

class Money {
  constructor(
    readonly amount: number,
    readonly currency: string,
  ) {}
  twice(): Money {
    return new Money(2 * this.amount, this.currency);
  }
}

class Refused extends Error {
  override name = 'Refused';
  code = 7;
}

const shared = () => {
  const one = { n: 1 };
  return [one, one];
};

/** How to make a value of each kind. */
const MAKE: Record<string, () => unknown> = {
  date: () => new Date(Date.UTC(2020, 1, 2)),
  map: () => new Map([['a', { n: 1 }]]),
  set: () => new Set([1, 2]),
  money: () => new Money(5, 'EUR'),
  call: () => (n: number) => n + 1,
  error: () => new Refused('not you', { cause: new Error('the rules') }),
  bytes: () => new Uint8Array([1, 2, 250]),
  floats: () => new Float32Array([1.5, 2]),
  buffer: () => Buffer.from('hi'),
  regexp: () => /a+/gi,
  url: () => new URL('https://example.com/a?b=1'),
  number: () => [Number.NaN, Number.POSITIVE_INFINITY, -0],
  gap: () => ({ here: 1, gone: undefined }),
  shared,
  bare: () => Object.assign(Object.create(null) as object, { n: 1 }),
  hidden: () => Object.defineProperty({ n: 1 }, 'm', { value: 2, enumerable: false }),
  symbol: () => ({ [Symbol.for('key')]: 1 }),
  accessor: () => ({
    get now() {
      return 'read';
    },
  }),
  promise: () => Promise.resolve(1),
  bigint: () => 12345678901234567890n,
};

/** Tells what a value can do. A value that was stored and read can do less. */
function describe(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.map(describe).join(', ')}]${value[0] && value[0] === value[1] ? ' same' : ''}`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value * 2n}n`;
  if (typeof value === 'function') return `function ${(value as (n: number) => number)(1)}`;
  if (typeof value !== 'object' || value === null) return String(value);
  const kind = Object.getPrototypeOf(value)?.constructor?.name ?? 'no prototype';
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof Promise) return 'Promise';
  if (value instanceof Map) return `Map ${describe([...value])}`;
  if (value instanceof Set) return `Set ${describe([...value])}`;
  if (value instanceof Money) return `Money ${value.twice().amount}`;
  if (value instanceof Error)
    return `${kind} ${value.name} ${value.message} ${String((value as Refused).code)} ${String(value.cause)}`;
  if (value instanceof RegExp || value instanceof URL) return `${kind} ${String(value)}`;
  if (ArrayBuffer.isView(value)) return `${kind} ${[...(value as Uint8Array)].join(' ')}`;
  const fields = Reflect.ownKeys(value).map((key) => `${String(key)}: ${describe(Reflect.get(value, key))}`);
  return `${kind} {${fields.join(', ')}}`;
}

const Values = Annotation.Root({
  kinds: Annotation<string[]>,
  then: Annotation<'ask' | 'clear' | 'end'>,
  log: Annotation<string[]>({ reducer: merge, default: () => [] }),
  box: Annotation<Record<string, unknown>>,
});
type ValuesState = typeof Values.State;

const look =
  (node: string) =>
  async ({ box = {} }: ValuesState) => {
    if (node.startsWith('slow')) await slowly();
    return { log: Object.entries(box).map(([kind, value]) => `${node} ${kind}: ${describe(value)}`) };
  };

const innerLook = new StateGraph(Values)
  .addNode('slow_inner', look('slow_inner'))
  .addNode('quick_inner', look('quick_inner'))
  .addEdge(START, 'slow_inner')
  .addEdge('slow_inner', 'quick_inner')
  .compile();

/**
 * Makes values of the kinds that the input names, and looks at them in the next nodes. The first
 * node of the next turn looks at what was stored.
 */
export const values: unknown = recorded(
  new StateGraph(Values)
    .addNode('stored', look('stored'))
    .addNode('make', async ({ kinds }) => {
      await slowly();
      return { box: Object.fromEntries(kinds.map((kind) => [kind, MAKE[kind]?.()])) };
    })
    .addNode('slow', look('slow'))
    .addNode('change', async ({ box }) => {
      // Changes the live values in place, and returns nothing.
      (box.map as Map<string, unknown> | undefined)?.set('b', 2);
      (box.date as Date | undefined)?.setUTCFullYear(2021);
      await slowly();
      return {};
    })
    .addNode('quick', look('quick'))
    .addNode('inner', innerLook)
    .addNode('ask', () => ({ log: [`answer ${String(interrupt('Go on?'))}`] }))
    .addNode('resumed', look('resumed'))
    .addNode('clear', () => ({ box: {} }))
    .addEdge(START, 'stored')
    .addConditionalEdges('stored', ({ kinds }) => (kinds.length > 0 ? 'make' : END), ['make', END])
    .addEdge('make', 'slow')
    .addEdge('slow', 'change')
    .addEdge('change', 'quick')
    .addEdge('quick', 'inner')
    .addConditionalEdges('inner', ({ then }) => (then === 'end' ? END : then), ['ask', 'clear', END])
    .addEdge('ask', 'resumed')
    .compile(),
);
