import type { Animal } from './animal.js';

/** Longer than the 100 ms after which a step ends, so the next node is in a step of its own. */
const SLOW_STEP_MS = 150;

interface Kept {
  how: string;
  /** What the next node of the turn finds, and what a later turn finds, which reads a checkpoint. */
  seen: readonly [inTurn: string, later: string];
  differs?: string;
}

const VALUES: readonly Kept[] = [
  { how: 'date', seen: ['1970-01-01T00:00:00.000Z', "'1970-01-01T00:00:00.000Z'"] },
  { how: 'map', seen: ["Map(1) { 'a' => 1 }", "Map(1) { 'a' => 1 }"] },
  { how: 'set', seen: ["Set(2) { 'a', 'b' }", "Set(2) { 'a', 'b' }"] },
  { how: 'class-instance', seen: ['Point { x: 1, y: 2 }', '{ x: 1, y: 2 }'] },
  { how: 'function', seen: ['[Function: kept]', 'undefined'] },
  { how: 'symbol', seen: ['Symbol(a symbol)', 'undefined'] },
  {
    how: 'circular',
    seen: ["<ref *1> { kind: 'circular', self: [Circular *1] }", "{ kind: 'circular', self: '[Circular]' }"],
  },
  { how: 'typed-array', seen: ['Uint8Array(3) [ 1, 2, 3 ]', 'Uint8Array(3) [ 1, 2, 3 ]'] },
  { how: 'floats', seen: ['Float64Array(2) [ 0.5, 1.5 ]', "{ '0': 0.5, '1': 1.5 }"] },
  {
    how: 'buffer',
    seen: ['<Buffer 61 62 63>', '<Buffer 61 62 63>'],
    differs: 'there a later turn finds an object with its bytes',
  },
  { how: 'array-buffer', seen: ['ArrayBuffer { [Uint8Contents]: <00 00 00 00>, byteLength: 4 }', '{}'] },
  { how: 'regexp', seen: ['/a+/gi', '/a+/gi'] },
  { how: 'url', seen: ['URL http://example.com/a?b=c', "'http://example.com/a?b=c'"] },
  { how: 'error', seen: ['TypeError TypeError: kept in the state', 'Error Error: kept in the state'] },
  { how: 'undefined', seen: ['undefined', 'undefined'] },
  { how: 'undefined-field', seen: ['{ a: undefined, b: 1 }', '{ a: undefined, b: 1 }'] },
  { how: 'null', seen: ['null', 'null'] },
  { how: 'nan', seen: ['NaN', 'null'] },
  { how: 'infinity', seen: ['-Infinity', 'null'] },
  { how: 'minus-zero', seen: ['-0', '0'] },
  { how: 'sparse', seen: ['[ 1, <1 empty item>, 3 ]', '[ 1, undefined, 3 ]'] },
  { how: 'invalid-date', seen: ['Invalid Date', 'null'] },
  {
    how: 'nested-date',
    seen: ['{ list: [ { at: 1970-01-01T00:00:00.000Z } ] }', "{ list: [ { at: '1970-01-01T00:00:00.000Z' } ] }"],
  },
  {
    how: 'nested-map',
    seen: [
      "Map(1) { 'inner' => Map(1) { 'a' => Set(1) { 1 } } }",
      "Map(1) { 'inner' => Map(1) { 'a' => Set(1) { 1 } } }",
    ],
  },
  { how: 'bare-object', seen: ['[Object: null prototype] { a: 1 }', '{ a: 1 }'] },
  {
    how: 'deep',
    seen: [
      '{ value: { value: { value: { value: { value: [Object] } } } } }',
      '{ value: { value: { value: { value: { value: [Object] } } } } }',
    ],
  },
  { how: 'dotted-key', seen: ["{ 'a.b': 1 }", "{ 'a.b': 1 }"] },
  { how: 'dollar-key', seen: ["{ '$set': { a: 1 } }", "{ '$set': { a: 1 } }"] },
  { how: 'proto-key', seen: ["{ ['__proto__']: { polluted: true }, a: 1 }", '{ a: 1 }'] },
  { how: 'to-json', seen: ['{ a: 1, toJSON: [Function: toJSON] }', '{ b: 2 }'] },
  { how: 'getter', seen: ['{ a: [Getter] }', '{ a: 1 }'] },
  { how: 'shared-reference', seen: ['[ { a: 1 }, { a: 1 } ]', '[ { a: 1 }, { a: 1 } ]'] },
  { how: 'lone-surrogate', seen: ["'half of a pair: \\ud800'", "'half of a pair: \\ud800'"] },
  { how: 'nul-byte', seen: ["'a zero: \\x00'", "'a zero: \\x00'"] },
  { how: 'empty-key', seen: ["{ '': 1 }", "{ '': 1 }"] },
  { how: 'large-integer', seen: ['1152921504606847000', '1152921504606847000'] },
  { how: 'promise', seen: ['a promise', '{}'] },
  { how: 'weak-map', seen: ['WeakMap { <items unknown> }', '{}'] },
  { how: 'proxy', seen: ['{ a: 1 }', '{ a: 1 }'] },
  { how: 'message', seen: ['HumanMessage m1: hello', 'HumanMessage m1: hello'] },
  {
    how: 'large-string',
    seen: [
      "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 19999960 more characters",
      "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 19999960 more characters",
    ],
  },
];

const KEEPING = VALUES.flatMap(({ how, seen, differs }) =>
  [0, SLOW_STEP_MS].map(
    (pause): Animal => ({
      name: `state ${how}${pause === 0 ? '' : ', slow step'}`,
      graph: 'state',
      inputs: [{ how, pause }, { how: 'read' }],
      expected: { status: 'success', output: { seen: [...seen] } },
      executions: { make: 1, read: 2 },
      reference: differs === undefined ? 'same' : { differs },
      why: 'within a turn the value stays what it is; a checkpoint keeps what its serializer can write',
    }),
  ),
);

/** No serializer of LangGraph can write it. Its own server ends the run in `success` and loses it. */
const BIGINT: Animal = {
  name: 'state bigint',
  graph: 'state',
  inputs: [{ how: 'bigint', pause: 0 }],
  expected: { status: ['success', 'error'] },
  executions: { make: 1, read: { atMost: 1 } },
  why: 'a value that cannot be stored may fail the run, but once, and the run ends',
};

/** LangGraph takes a value with the keys of its own serializer for one that it has written. */
const RESERVED: Animal = {
  name: 'state lc-key',
  graph: 'state',
  inputs: [{ how: 'lc-key', pause: 0 }, { how: 'read' }],
  expected: { status: 'error', message: /^Invalid namespace: \$/ },
  executions: { make: 1, read: 1 },
  reference: 'same',
  why: 'the next turn cannot read what looks like a constructor of an unknown class',
};

export const KEPT: readonly Animal[] = [...KEEPING, BIGINT, RESERVED];
