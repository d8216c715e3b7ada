import type { Animal } from './animal.js';

interface Thrown {
  how: string;
  error?: string;
  message: string | RegExp;
  megabytes?: number;
  /** What LangGraph's own server does instead. */
  differs?: string;
}

const QUOTES = 'there a text is in JSON';
const RUNNING = 'there the run stays running for ever';
const LOGS = 'there no error event is sent';

/**
 * LangGraph notes the id of the task on the thrown value. That fails for a value without properties,
 * and its server reports that failure. Colloquy reports the value.
 */
const NOTED = 'there a TypeError about pregelTaskId';

/** An object gets the id of the task from LangGraph, so its text in JSON is matched by its own part. */
const VALUES: readonly Thrown[] = [
  { how: 'error', message: 'an error' },
  { how: 'type-error', error: 'TypeError', message: 'a type error' },
  { how: 'custom', error: 'PaymentError', message: 'a custom error' },
  { how: 'empty-message', message: '' },
  { how: 'aggregate', error: 'AggregateError', message: 'two errors' },
  { how: 'dom-exception', error: 'DataError', message: 'a DOM exception' },
  { how: 'frozen', error: 'TypeError', message: /its message is lost/, differs: NOTED },
  { how: 'self-cause', message: 'its own cause' },
  { how: 'long-chain', message: 'one of many' },
  { how: 'circular-field', message: 'a circular field' },
  { how: 'to-json', message: 'with toJSON' },
  { how: 'name-number', message: 'its name is a number', differs: 'there the name is the number' },
  { how: 'name-empty', message: 'it has no name', differs: 'there the name is empty' },
  { how: 'message-object', message: '{"text":"not a string"}', differs: 'there the message is the object' },
  { how: 'getter-message', message: 'thrown by the getter of message' },
  { how: 'getter-name', message: 'thrown by the getter of name' },
  { how: 'getter-stack', message: 'an error with a getter', differs: RUNNING },
  { how: 'getter-cause', message: 'thrown by the getter of cause' },
  { how: 'getter-code', message: 'an error with a getter' },
  { how: 'getter-errors', message: 'an error with a getter' },
  { how: 'lone-surrogate', message: /^half of a pair: .$/ },
  { how: 'nul-byte', message: 'a zero: \u0000' },
  { how: 'dotted-keys', message: 'keys of a database' },
  { how: 'large', message: 'm'.repeat(600_000), megabytes: 0.6 },
  { how: 'large', message: 'm'.repeat(1_500_000), megabytes: 1.5 },
  { how: 'large', message: 'm'.repeat(5_000_000), megabytes: 5 },
  { how: 'large-stack', message: 'a large stack', megabytes: 5 },
  { how: 'string', message: 'a string', differs: NOTED },
  { how: 'empty-string', message: '', differs: NOTED },
  { how: 'number', message: '42', differs: NOTED },
  { how: 'nan', message: 'NaN', differs: NOTED },
  { how: 'zero', message: '0', differs: NOTED },
  { how: 'false', message: 'false', differs: NOTED },
  { how: 'bigint', message: '42', differs: NOTED },
  { how: 'symbol', message: 'Symbol(a symbol)', differs: NOTED },
  { how: 'null', message: 'null', differs: NOTED },
  { how: 'undefined', message: 'undefined', differs: NOTED },
  { how: 'function', message: /^function thrown/, differs: 'there the message is missing' },
  { how: 'object', message: /"reason":"an object"/ },
  { how: 'object-message', message: 'an object with a message', differs: QUOTES },
  { how: 'object-bare', message: /./, differs: RUNNING },
  { how: 'object-circular', message: /./, differs: LOGS },
  { how: 'array', message: '["an","array"]' },
  { how: 'date', message: '"1970-01-01T00:00:00.000Z"' },
  { how: 'map', message: /./ },
  { how: 'proxy', message: 'a proxy that refuses everything' },
  { how: 'proxy-error', message: 'a proxy that refuses everything' },
  { how: 'promise', message: /./, differs: RUNNING },
  { how: 'response', message: /./ },
];

const THROWING = VALUES.map(
  ({ how, error = 'Error', message, megabytes, differs }): Animal => ({
    name: `throws ${how}${megabytes === undefined ? '' : ` ${megabytes} MB`}`,
    graph: 'throws',
    inputs: [{ how, megabytes }],
    expected: { status: 'error', error, message },
    executions: { throw: 1 },
    reference: differs === undefined ? 'same' : { differs },
    why: 'any thrown value ends the run, once, and the client can read it',
  }),
);

const NAMED: Animal = {
  name: 'throws large-name',
  graph: 'throws',
  inputs: [{ how: 'large-name', megabytes: 1.5 }],
  expected: { status: 'error', message: 'a large name' },
  executions: { throw: 1 },
  reference: 'same',
  why: 'a name has no limit either, and may be cut',
};

const POLICY: Animal = {
  name: 'policy of the node',
  graph: 'policy',
  inputs: [{}],
  expected: { status: 'error', error: 'Error', message: 'bad gateway' },
  executions: { fail: 3 },
  reference: 'same',
  why: 'a 502 is transient, but the node has a policy of its own, and that is the policy',
};

export const THROWN: readonly Animal[] = [...THROWING, NAMED, POLICY];
