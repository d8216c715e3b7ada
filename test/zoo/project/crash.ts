/** Animals that end their own process, at once or later. */
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

/** Longer than it takes for an error to come later. The process is expected to be gone by then. */
const WAIT_MS = 20_000;
const HIGHEST_CLOSED = 20;

function lastWords(how: string): void {
  process.stderr.write(`the last words of ${how}\n`);
}

function throwLater(error: unknown, ms = 50): void {
  setTimeout(() => {
    throw error;
  }, ms);
}

/** Throws if the group is not its own: the signal would then also end whoever started the worker. */
function killGroup(): void {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  if (group !== process.pid) throw new Error('the process is not the leader of a process group');
  process.kill(0, 'SIGKILL');
}

/** What ends the process while the node runs. */
const AT_ONCE: Record<string, () => void> = {
  'exit-0': () => process.exit(0),
  'exit-1': () => process.exit(1),
  'exit-hang': () => {
    process.on('exit', () => {
      for (;;);
    });
    process.exit(1);
  },
  'really-exit': () => (process as unknown as { reallyExit(code: number): void }).reallyExit(7),
  abort: () => process.abort(),
  'kill-kill': () => process.kill(process.pid, 'SIGKILL'),
  'kill-term': () => process.kill(process.pid, 'SIGTERM'),
  'kill-segv': () => process.kill(process.pid, 'SIGSEGV'),
  'kill-group': killGroup,
  descriptors: () => {
    for (let descriptor = 0; descriptor <= HIGHEST_CLOSED; descriptor += 1) {
      try {
        closeSync(descriptor);
      } catch {
        // It was not open.
      }
    }
  },
  heap: () => {
    const kept: string[][] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => `${kept.length} ${index}`));
  },
};

/** What throws an error that no code can catch, after the node's function has been called. */
const LATER: Record<string, () => void> = {
  spawn: () => void spawn('no-such-program'),
  timeout: () => throwLater(new Error('thrown by a timer')),
  tick: () =>
    process.nextTick(() => {
      throw new Error('thrown by a tick');
    }),
  microtask: () =>
    queueMicrotask(() => {
      throw new Error('thrown by a microtask');
    }),
  emitter: () => void setImmediate(() => new EventEmitter().emit('error', new Error('an error event'))),
  socket: () => void connect({ host: '127.0.0.1', port: 1 }),
  thread: () => void new Worker(`throw new Error('thrown by a thread')`, { eval: true }),
  'throw-null': () => throwLater(null),
  'throw-cycle': () => {
    const error = new Error('its own cause');
    error.cause = error;
    throwLater(error);
  },
  unlistened: () => {
    process.removeAllListeners('uncaughtException');
    process.removeAllListeners('unhandledRejection');
    throwLater(new Error('thrown with no listeners'));
  },
};

function wasExecuted(config: LangGraphRunnableConfig): boolean {
  const path = process.env['ZOO_LEDGER'] ?? '';
  return existsSync(path) && readFileSync(path, 'utf8').includes(`${String(config.metadata?.['run_id'])} fall `);
}

/** Crashes at each execution. */
async function fall({ how }: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  record(config, 'fall');
  lastWords(how);
  if (how in LATER) LATER[how]?.();
  else select(AT_ONCE, how)();
  await sleep(WAIT_MS);
  return { done: ['fall'] };
}

/** Crashes at the first execution only. */
async function fallOnce({ how }: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  const isFirst = !wasExecuted(config);
  record(config, 'fall');
  if (isFirst) {
    lastWords(how);
    process.exit(1);
  }
  return { done: ['fall'] };
}

/** Returns at once. Its timer throws while the next node runs. */
function arm(_: RequestState, config: LangGraphRunnableConfig): RequestUpdate {
  record(config, 'arm');
  throwLater(new Error('thrown after its node had returned'), 1_500);
  return { done: ['arm'] };
}

async function waitAfter(_: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  record(config, 'after');
  await sleep(3_000);
  return { done: ['after'] };
}

export const crash = new StateGraph(Request)
  .addNode('fall', fall)
  .addNode('fallOnce', fallOnce)
  .addNode('arm', arm)
  .addNode('after', waitAfter)
  .addConditionalEdges(START, ({ node }) => node, ['fall', 'fallOnce', 'arm', 'after'])
  .addEdge('arm', 'after')
  .addEdge('fall', END)
  .addEdge('fallOnce', END)
  .addEdge('after', END)
  .compile();
