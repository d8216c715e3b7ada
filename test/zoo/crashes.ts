import type { Animal } from './animal.js';

/** A superstep that crashes its process alone is executed at most this often. */
const MOST = 3;

interface Crash {
  how: string;
  message: RegExp;
  why: string;
}

/** Each message names the exit code or the signal, or quotes what the process wrote last. */
const CRASHES: readonly Crash[] = [
  { how: 'spawn', message: /no-such-program/, why: 'a child process without an error listener' },
  {
    how: 'exit-1',
    message: /\b1\b[^]*the last words of exit-1/,

    why: 'the exit code and stderr are known',
  },
  { how: 'exit-0', message: /\b0\b[^]*the last words of exit-0/, why: 'to exit with 0 does not finish a run either' },
  { how: 'exit-hang', message: /code 1\b[^]*exit does not return/, why: 'an exit handler that never returns' },
  { how: 'really-exit', message: /\b7\b/, why: 'no exit handler runs' },
  { how: 'abort', message: /SIGABRT|\b134\b/, why: 'the process ends itself by a signal' },
  { how: 'kill-kill', message: /SIGKILL|\b137\b/, why: 'as by the system when memory is short' },
  { how: 'kill-term', message: /SIGTERM|\b143\b|the last words of kill-term/, why: 'as by an operator' },
  { how: 'kill-segv', message: /SIGSEGV|\b139\b/, why: 'as by a fault in a native add-on' },
  { how: 'kill-group', message: /SIGKILL|\b137\b/, why: 'the group of an executor has only its own processes' },
  {
    how: 'descriptors',
    message: /SIGABRT|\b134\b|the last words of descriptors|connection|socket/i,
    why: 'libuv aborts',
  },
  { how: 'heap', message: /heap|memory|SIGABRT|\b134\b/i, why: 'V8 ends a process whose heap is full' },
  { how: 'timeout', message: /thrown by a timer/, why: 'no code can catch what a timer throws' },
  { how: 'tick', message: /thrown by a tick/, why: 'the same from a tick' },
  { how: 'microtask', message: /thrown by a microtask/, why: 'the same from a microtask' },
  { how: 'emitter', message: /an error event/, why: 'an error event without a listener throws' },
  { how: 'socket', message: /ECONNREFUSED/, why: 'the same from a socket' },
  { how: 'thread', message: /thrown by a thread/, why: 'a thread reports its uncaught error as an error event' },
  { how: 'throw-null', message: /null/, why: 'a handler of uncaught errors must not expect an Error' },
  { how: 'throw-cycle', message: /its own cause/, why: 'a handler of uncaught errors must not follow causes for ever' },
  { how: 'unlistened', message: /thrown with no listeners/, why: 'the node may remove the handlers of its process' },
];

export const CRASHING: readonly Animal[] = [
  ...CRASHES.map(({ how, message, why }) => ({
    name: `crash ${how}`,
    graph: 'crash',
    inputs: [{ node: 'fall', how }],
    expected: { status: 'error' as const, error: 'process_crashed', message },
    executions: { fall: { atMost: MOST } },
    isBlamed: true,
    why,
  })),
  {
    name: 'crash once',
    graph: 'crash',
    inputs: [{ node: 'fallOnce', how: 'once' }],
    expected: { status: 'success', output: { done: ['fall'] } },
    executions: { fall: 2 },
    isBlamed: true,
    why: 'one crash is survived, as a network error would be',
  },
  {
    name: 'crash after its node has returned',
    graph: 'crash',
    inputs: [{ node: 'arm', how: 'later' }],
    expected: { status: 'success', output: { done: ['arm', 'after'] } },
    executions: { arm: 1, after: { atMost: 2 } },
    isBlamed: true,
    why: 'the committed superstep is not repeated, so its timer is not armed again',
  },
];
