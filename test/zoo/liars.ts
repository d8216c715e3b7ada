import type { Animal, Status } from './animal.js';

interface Lie {
  how: string;
  error: string;
  message: string;
  why?: string;
}

const LIES: readonly Lie[] = [
  { how: 'colloquy-fence-lost', error: 'ColloquyError', message: 'looks like fence_lost' },
  { how: 'colloquy-unavailable', error: 'ColloquyError', message: 'looks like unavailable' },
  { how: 'colloquy-internal', error: 'ColloquyError', message: 'looks like internal' },
  { how: 'colloquy-not-found', error: 'ColloquyError', message: 'looks like not_found' },
  { how: 'process-crashed', error: 'process_crashed', message: 'looks like process_crashed' },
  { how: 'worker-stopped', error: 'worker_stopped', message: 'looks like worker_stopped' },
  { how: 'graph-failed', error: 'GraphFailed', message: 'looks like GraphFailed' },
  { how: 'temporal-failure', error: 'ApplicationFailure', message: 'from Temporal' },
  { how: 'temporal-retryable', error: 'ApplicationFailure', message: 'from Temporal' },
  { how: 'temporal-cancelled', error: 'CancelledFailure', message: 'nobody cancelled' },
  { how: 'abort', error: 'AbortError', message: 'nobody aborted' },
  { how: 'recursion', error: 'GraphRecursionError', message: 'no limit was reached' },
  { how: 'langgraph-drained', error: 'GraphDrained', message: 'looks like GraphDrained' },
];

const LYING = LIES.map(
  ({ how, error, message }): Animal => ({
    name: `lie ${how}`,
    graph: 'lie',
    inputs: [{ how }],
    expected: { status: 'error', error, message },
    executions: { pretend: 1 },
    reference: 'same',
    why: 'an error of a node is an error of a node, whatever it looks like, and is not transient',
  }),
);

/** LangGraph itself takes these for its own signals, and ends the turn. */
const BUBBLING = ['langgraph-interrupt', 'langgraph-bubble', 'langgraph-parent'].map(
  (how): Animal => ({
    name: `lie ${how}`,
    graph: 'lie',
    inputs: [{ how }],
    expected: { status: ['success', 'interrupted'] },
    executions: { pretend: 1 },
    reference: 'same',
    why: 'LangGraph recognises its signals by name, and a turn ends at one',
  }),
);

const ACTS: Record<string, readonly Status[]> = {
  send: ['success'],
  disconnect: ['success', 'error'],
  emit: ['success', 'error'],
  descriptors: ['success', 'error'],
  title: ['success'],
  folder: ['success'],
  environment: ['success'],
  'exit-code': ['success'],
  listeners: ['success'],
  stdin: ['success'],
};

/** Two turns: the process must still be of use, or be replaced. */
const ACTING = Object.entries(ACTS).map(([how, statuses]): Animal => {
  const mayFail = statuses.includes('error');
  const bound = mayFail ? { atMost: 6 } : 2;
  return {
    name: `lie ${how}`,
    graph: 'lie',
    inputs: [{ how }, { how }],
    expected: { status: statuses, ...(!mayFail && { output: { done: ['pretend', 'after', 'pretend', 'after'] } }) },
    executions: { pretend: bound, after: bound },
    why: mayFail
      ? 'it may end its own process, and nothing else'
      : 'it changes what only its own process has, and the run does not need',
  };
});

const PATCHES: Record<string, readonly Status[]> = {
  json: ['success'],
  clock: ['success'],
  timers: ['success'],
  then: ['success'],
  array: ['success'],
  object: ['success', 'error'],
  stack: ['success', 'error'],
  globals: ['success', 'error'],
};

const PATCHING = Object.entries(PATCHES).map(
  ([name, statuses]): Animal => ({
    name: `patch ${name}`,
    graph: `patch_${name}`,
    inputs: [{}, {}],
    expected: { status: statuses },
    executions: statuses.includes('error') ? { patch: { atMost: 6 }, after: { atMost: 6 } } : { patch: 2, after: 2 },
    why: statuses.includes('error')
      ? 'the drivers of the process may not survive it; no other process notices'
      : 'the platform does not depend on what a node can replace',
  }),
);

export const PRETENDING: readonly Animal[] = [...LYING, ...BUBBLING, ...ACTING, ...PATCHING];
