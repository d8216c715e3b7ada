/**
 * Animals that pretend: they throw errors that look like those of Colloquy, Temporal or LangGraph,
 * forge messages between processes, or change what their process shares with the platform's code.
 */
import { mkdtempSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { END, GraphRecursionError, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

/** Messages that a channel between processes could take for its own. */
const FORGED = [
  null,
  'ready',
  { ready: {} },
  { type: 'exit', code: 0 },
  { type: 'result', id: 1, outcome: { status: 'success', nodes: [], next: [] } },
  { cmd: 'NODE_CLOSE' },
  { id: 1, result: null },
  { id: 1, error: { message: 'forged' } },
];
const FIRST_OPEN = 3;
const LAST_TRIED = 30;

function likeColloquy(code: string): Error {
  return Object.assign(new Error(`looks like ${code}`), { name: 'ColloquyError', code });
}

function named(name: string, fields: object = {}): Error {
  return Object.assign(new Error(`looks like ${name}`), { name, ...fields });
}

const ERRORS: Record<string, () => unknown> = {
  'colloquy-fence-lost': () => likeColloquy('fence_lost'),
  'colloquy-unavailable': () => likeColloquy('unavailable'),
  'colloquy-internal': () => likeColloquy('internal'),
  'colloquy-not-found': () => likeColloquy('not_found'),
  'process-crashed': () => named('process_crashed'),
  'worker-stopped': () => named('worker_stopped'),
  'graph-failed': () => named('GraphFailed'),
  'temporal-failure': () =>
    ApplicationFailure.create({ message: 'from Temporal', type: 'fence_lost', nonRetryable: true }),
  'temporal-retryable': () => ApplicationFailure.create({ message: 'from Temporal', type: 'head_moved' }),
  'temporal-cancelled': () => new CancelledFailure('nobody cancelled'),
  abort: () => new DOMException('nobody aborted', 'AbortError'),
  recursion: () => new GraphRecursionError('no limit was reached'),
  'langgraph-drained': () => named('GraphDrained'),
  'langgraph-interrupt': () => named('GraphInterrupt', { interrupts: [] }),
  'langgraph-bubble': () => named('GraphBubbleUp', { is_bubble_up: true }),
  'langgraph-parent': () => named('ParentCommand', { is_bubble_up: true, command: {} }),
};

const ACTS: Record<string, () => void> = {
  send: () => FORGED.forEach((message) => process.send?.(message)),
  disconnect: () => process.disconnect?.(),
  emit: () => {
    for (const message of FORGED) process.emit('message', message as object, undefined);
    for (const event of ['disconnect', 'beforeExit', 'exit', 'SIGTERM', 'SIGINT']) {
      (process as NodeJS.EventEmitter).emit(event, 0);
    }
  },
  descriptors: () => {
    const bytes = `${FORGED.map((message) => JSON.stringify(message)).join('\n')}\nnot JSON\n`;
    for (let descriptor = FIRST_OPEN; descriptor <= LAST_TRIED; descriptor += 1) {
      try {
        writeSync(descriptor, bytes);
      } catch {
        // It cannot be written.
      }
    }
  },
  title: () => {
    process.title = 'init';
  },
  folder: () => {
    const folder = mkdtempSync(join(tmpdir(), 'zoo-'));
    process.chdir(folder);
    rmdirSync(folder);
  },
  environment: () => {
    // The ledger is found through a variable, so this one stays.
    for (const name of Object.keys(process.env)) if (name !== 'ZOO_LEDGER') delete process.env[name];
    process.env['MONGODB_URI'] = 'mongodb://nowhere.invalid';
    process.env['NODE_OPTIONS'] = '--no-such-option';
  },
  'exit-code': () => {
    process.exitCode = 5;
  },
  listeners: () => {
    process.removeAllListeners('message');
    process.removeAllListeners('SIGTERM');
  },
  stdin: () => void process.stdin.destroy(),
};

function pretend({ how }: RequestState, config: LangGraphRunnableConfig): RequestUpdate {
  record(config, 'pretend');
  if (how in ERRORS) throw select(ERRORS, how)();
  select(ACTS, how)();
  return { done: ['pretend'] };
}

function after(_: RequestState, config: LangGraphRunnableConfig): RequestUpdate {
  record(config, 'after');
  return { done: ['after'] };
}

export const lie = new StateGraph(Request)
  .addNode('pretend', pretend)
  .addNode('after', after)
  .addEdge(START, 'pretend')
  .addEdge('pretend', 'after')
  .addEdge('after', END)
  .compile();
