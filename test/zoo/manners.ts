import type { Animal, Expected } from './animal.js';

const DONE = (...done: string[]): Expected => ({ status: 'success', output: { done } });

interface Block {
  graph?: string;
  how: string;
  seconds: number;
  why: string;
}

/** The graph `block` has the default heartbeat timeout of 10 s. The graph `block_quick` has 2 s. */
const BLOCKS: readonly Block[] = [
  { graph: 'block_quick', how: 'spawn', seconds: 4, why: 'twice the heartbeat timeout of its node' },
  { graph: 'block_quick', how: 'loop', seconds: 4, why: 'the same, with the CPU busy' },
  { how: 'spawn', seconds: 12, why: 'a synchronous child process' },
  { how: 'spawn', seconds: 25, why: 'two heartbeat timeouts' },
  { how: 'atomics', seconds: 12, why: 'a thread that sleeps' },
  { how: 'loop', seconds: 12, why: 'a busy loop' },
  { how: 'regex', seconds: 12, why: 'a regular expression that backtracks' },
  { how: 'files', seconds: 12, why: 'synchronous reads' },
];

const BLOCKING = BLOCKS.map(
  ({ graph = 'block', how, seconds, why }): Animal => ({
    name: `${graph} ${how} ${seconds} s`,
    graph,
    inputs: [{ how, seconds }],
    expected: DONE('work'),
    executions: { work: 1 },
    why: `a blocked process lives, so its node is not repeated: ${why}`,
  }),
);

interface Hang {
  how: string;
  processes?: 'killed' | 'kept';
  why: string;
}

const HANGS: readonly Hang[] = [
  { how: 'polite', processes: 'kept', why: 'a node that ends on its signal costs no process' },
  { how: 'deaf', why: 'cancel ends it, really' },
  { how: 'tool', why: 'nobody can see that the code of a tool goes on' },
  { how: 'stubborn', why: 'it has seen its signal and goes on' },
  { how: 'retrying', why: 'a loop that catches everything' },
  { how: 'loop', why: 'its process cannot even be asked to stop' },
  { how: 'child', why: 'a child process ends with the executor' },
];

const HANGING = HANGS.map(
  ({ how, processes = 'killed', why }): Animal => ({
    name: `hang ${how}`,
    graph: 'hang',
    inputs: [{ how }],
    meanwhile: 'cancel',
    expected: { status: 'interrupted' },
    executions: { wait: 1 },
    processes,
    isBlamed: processes !== 'kept',
    why,
  }),
);

const LIMITED = ['deaf', 'loop'].map(
  (how): Animal => ({
    name: `limit ${how}`,
    graph: 'limit',
    inputs: [{ how }],
    expected: { status: 'error', error: 'TimeoutError' },
    executions: { exceed: 2 },
    processes: 'killed',
    isBlamed: true,
    why: 'the node sets 2 s and two attempts; the second begins when the first has stopped',
  }),
);

interface Leak {
  how: string;
  megabytes?: number;
  turns?: number;
  expected?: Expected;
  executions?: Animal['executions'];
  why: string;
}

/** The executors of the zoo may have a heap of 256 MB and 512 MB of resident memory. */
const LEAKS: readonly Leak[] = [
  { how: 'timers', why: 'they cost nothing that the platform needs' },
  { how: 'listeners', why: 'Node.js only warns' },
  { how: 'files', why: 'open files are closed with their process' },
  { how: 'child', why: 'the run ends; the child ends with its executor' },
  { how: 'buffers', megabytes: 60, turns: 12, why: 'the executor is replaced between steps, unseen' },
  {
    how: 'buffers',
    megabytes: 1_500,
    expected: { status: 'error', error: 'process_crashed', message: /memory|SIGKILL|SIGABRT/i },
    executions: { keep: { atMost: 3 } },
    why: 'one step exceeds the resident memory',
  },
  {
    how: 'strings',
    megabytes: 1_500,
    expected: { status: 'error', error: 'process_crashed', message: /memory|heap|SIGKILL|SIGABRT/i },
    executions: { keep: { atMost: 3 } },
    why: 'one step exceeds the heap',
  },
];

const LEAKING = LEAKS.map(
  ({ how, megabytes, turns = 1, expected, executions, why }): Animal => ({
    name: `leak ${how}${megabytes === undefined ? '' : ` ${megabytes} MB, ${turns} turns`}`,
    graph: 'leak',
    inputs: Array.from({ length: turns }, () => ({ how, megabytes })),
    expected: expected ?? DONE(...Array.from({ length: turns }, () => 'keep')),
    executions: executions ?? { keep: turns },
    isBlamed: expected !== undefined,
    why,
  }),
);

const SHOUTING = ['lines', 'no-newline', 'binary', 'escapes', 'messages'].flatMap((how) =>
  [4, 100].map(
    (megabytes): Animal => ({
      name: `shout ${how} ${megabytes} MB`,
      graph: 'shout',
      inputs: [{ how, megabytes }],
      expected: DONE('shout'),
      executions: { shout: 1 },
      why: 'output is no part of a run, whatever its bytes are',
    }),
  ),
);

const REJECTING = ['error', 'undefined', 'symbol', 'bare', 'cycle', 'many'].map(
  (how): Animal => ({
    name: `rejects ${how}`,
    graph: 'rejects',
    inputs: [{ how }],
    expected: DONE('reject'),
    executions: { reject: 1 },
    reference: 'same',
    why: 'an unhandled rejection is only logged',
  }),
);

const SLOW: readonly Animal[] = [
  {
    name: 'slow 40 s',
    graph: 'slow',
    inputs: [{ seconds: 40 }],
    expected: DONE('work'),
    executions: { work: 1 },
    why: 'there is no default limit; its heartbeat timeout is a quarter of this time',
  },
];

export const MISBEHAVING: readonly Animal[] = [
  ...BLOCKING,
  ...HANGING,
  ...LIMITED,
  ...LEAKING,
  ...SHOUTING,
  ...REJECTING,
  ...SLOW,
];
