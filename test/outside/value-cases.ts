import type { TurnCase } from './turn-cases.js';

/**
 * What a node says about a live value that an earlier node of the same turn made. `change` is a node
 * in between that changes the map and the date in place.
 */
const LIVE = {
  date: 'Date 1580601600000',
  map: 'Map [["a", Object {n: 1}]]',
  set: 'Set [1, 2]',
  money: 'Money 10',
  call: 'function 2',
  error: 'Refused Refused not you 7 Error: the rules',
  bytes: 'Uint8Array 1 2 250',
  floats: 'Float32Array 1.5 2',
  buffer: 'Buffer 104 105',
  regexp: 'RegExp /a+/gi',
  url: 'URL https://example.com/a?b=1',
  number: '[NaN, Infinity, -0]',
  gap: 'Object {here: 1, gone: undefined}',
  shared: '[Object {n: 1}, Object {n: 1}] same',
  bare: 'no prototype {n: 1}',
  hidden: 'Object {n: 1, m: 2}',
  symbol: 'Object {Symbol(key): 1}',
  accessor: 'Object {now: "read"}',
  promise: 'Promise',
};
const CHANGED = { ...LIVE, date: 'Date 1612224000000', map: 'Map [["a", Object {n: 1}], ["b", 2]]' };

/**
 * What a node says about the same values after they were stored: in the next turn, and after an
 * answer to a question. LangGraph's server keeps checkpoints as bytes of its `JsonPlusSerializer`,
 * before and after a restart.
 */
const STORED = {
  date: '"<time>"',
  map: 'Map [["a", Object {n: 1}], ["b", 2]]',
  set: 'Set [1, 2]',
  money: 'Object {amount: 5, currency: "EUR"}',
  error: 'Error Error not you undefined undefined',
  bytes: 'Uint8Array 1 2 250',
  floats: 'Object {0: 1.5, 1: 2}',
  buffer: 'Object {type: "Buffer", data: [104, 105]}',
  regexp: 'RegExp /a+/gi',
  url: '"https://example.com/a?b=1"',
  number: '[null, null, 0]',
  gap: 'Object {here: 1, gone: undefined}',
  shared: '[Object {n: 1}, Object {n: 1}]',
  bare: 'Object {n: 1}',
  hidden: 'Object {n: 1}',
  symbol: 'Object {}',
  accessor: 'Object {now: "read"}',
  promise: 'Object {}',
};

function told(node: string, values: Record<string, string>, kinds = Object.keys(values)): string[] {
  return kinds.flatMap((kind) => (kind in values ? [`${node} ${kind}: ${values[kind]}`] : []));
}

function toldInTurn(kinds?: string[]): string[] {
  const after = ['quick', 'slow_inner', 'quick_inner'].flatMap((node) => told(node, CHANGED, kinds));
  return [...told('slow', LIVE, kinds), ...after];
}

const ASKED = ['date', 'map', 'money'];

const UNTRACKED: TurnCase = {
  name: 'a value of UntrackedValue that one node sets and the next ones use',
  graph: 'untracked',
  turns: [{ input: { to: 'a' } }, { input: { to: 'b' } }],
  state: {
    log: [
      'look a: no connection',
      'slow_use: a 1',
      'quick_use: a 2',
      'slow_end: a 3',
      'look b: no connection',
      'slow_use: b 1',
      'quick_use: b 2',
      'slow_end: b 3',
    ],
  },
};
const LIVE_VALUES: TurnCase = {
  name: 'live values between nodes, and what the next turn reads',
  graph: 'values',
  turns: [{ input: { kinds: Object.keys(LIVE), then: 'end' } }, { input: { kinds: [] } }],
  state: { log: [...toldInTurn(), ...told('stored', STORED)] },
};

export const VALUE_CASES: TurnCase[] = [
  UNTRACKED,
  LIVE_VALUES,
  {
    name: 'an UntrackedValueChannel in a condition, parallel tasks and a subgraph',
    graph: 'untrackedChannel',
    turns: [{ input: { log: ['in'] } }, { input: { log: ['again'] } }],
    state: { log: ['in', 'set', 'work: worda', 'work: wordb', 'inside_read: word', 'inside_ask: word!', 'again'] },
    sideBySide: true,
  },
  {
    name: 'live values before and after a question',
    graph: 'values',
    turns: [{ input: { kinds: ASKED, then: 'ask' } }, { command: { resume: 'yes' } }],
    state: { log: [...toldInTurn(ASKED), 'answer yes', ...told('resumed', STORED, ASKED)] },
  },
  {
    // The state must not contain a bigint at the end of a turn: the serializer stores the text
    // "[unable to serialize, …]" in place of the whole checkpoint, and LangGraph cannot read it.
    name: 'a bigint between nodes',
    graph: 'values',
    turns: [{ input: { kinds: ['bigint'], then: 'clear' } }],
    state: {
      log: ['slow', 'quick', 'slow_inner', 'quick_inner'].map((node) => `${node} bigint: 24691357802469135780n`),
    },
  },
];

/** The cases of the normal tests. */
export const QUICK_VALUE_CASES = [UNTRACKED, LIVE_VALUES];
