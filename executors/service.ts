import { AsyncLocalStorage } from 'node:async_hooks';
import { writeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers';
import { Channel } from './channel.js';
import type { FromExecutor, ToExecutor } from './messages.js';
import { describeError, readField } from '../steps/index.js';
import { toPlainError } from './plain-error.js';

const STDERR_FD = 2;

/** What an executor does for one kind of call. `signal` fires when the call is to end early. */
export type Handler = (args: unknown[], signal: AbortSignal) => Promise<unknown>;

export interface ExecutorService {
  handlers: Record<string, Handler>;
  /**
   * Returns what a call works for, such as the id of a run. Later calls may continue code that an
   * earlier call for the same has started. Absent: each call works for itself.
   */
  subjectOf?: (call: string, args: unknown[]) => string | undefined;
  /** Sent with the message `ready`. */
  ready: unknown;
}

interface ServeOptions {
  stream: Duplex;
  /** Loads the project. Called with the first message. */
  start: (message: { config: unknown; graphId?: string }, drain: AbortSignal) => Promise<ExecutorService>;
  /** Called when the process that started this one is gone. */
  closed: () => void;
}

/**
 * Exceptions that nobody catches while the project is loaded may do no harm, as that of a timer. But
 * the load may also wait for what has failed. After this time, in ms, the executor gives up.
 */
const LOAD_GRACE_MS = 5_000;

/** Answers the calls of the process that started this executor. */
export function serveCalls({ stream, start, closed }: ServeOptions): void {
  const drain = new AbortController();
  const calls = new Map<number, AbortController>();
  /** The last call for each subject. */
  const lastCalls = new Map<string, number>();
  const origins = new AsyncLocalStorage<{ subject: string; id: number }>();
  let service: ExecutorService | undefined;
  const channel = new Channel<FromExecutor, ToExecutor>(stream, receive, closed);

  function receive(message: ToExecutor): void {
    if ('ping' in message) channel.send({ pong: message.ping, rss: process.memoryUsage.rss() });
    else if ('start' in message) void begin(message.start);
    else if ('abort' in message) calls.get(message.abort)?.abort(new DOMException('given up', 'AbortError'));
    else if ('drain' in message) drain.abort();
    else void answer(message);
  }

  async function begin(message: { config: unknown; graphId?: string }): Promise<void> {
    try {
      service = await start(message, drain.signal);
      channel.send({ ready: service.ready });
    } catch (error) {
      channel.send({ failedToStart: toPlainError(error) });
    }
  }

  async function answer({ id, call, args }: { id: number; call: string; args: unknown[] }): Promise<void> {
    const abort = new AbortController();
    const subject = service?.subjectOf?.(call, args) ?? `call ${id}`;
    calls.set(id, abort);
    lastCalls.set(subject, id);
    try {
      const handler = service?.handlers[call];
      if (handler === undefined) throw new Error(`an executor has no call ${call}`);
      // The storage says whose code has thrown an exception that nobody catches.
      channel.send({ id, value: await origins.run({ subject, id }, () => handler(args, abort.signal)) });
    } catch (error) {
      channel.send({ id, error: toPlainError(error) });
    } finally {
      calls.delete(id);
      if (lastCalls.get(subject) === id) lastCalls.delete(subject);
    }
  }

  // Node.js calls the handler below without the context of a microtask that has thrown.
  let thrownIn: { subject: string; id: number } | undefined;
  const queue = globalThis.queueMicrotask;
  globalThis.queueMicrotask = function queueMicrotask(callback: () => void) {
    if (typeof callback !== 'function') return queue(callback);
    queue(() => {
      try {
        callback();
      } catch (error) {
        thrownIn = origins.getStore();
        throw error;
      }
    });
  };
  // Whoever read the output may be gone. A failed line must not count as an uncaught exception.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.on('uncaughtException', (error) => {
    const text = textOf(error);
    report(`uncaught exception: ${text}`);
    if (service === undefined) {
      setTimeout(() => {
        if (service === undefined) process.exit(1);
      }, LOAD_GRACE_MS);
      return;
    }
    const origin = origins.getStore() ?? thrownIn;
    thrownIn = undefined;
    const id = origin && (lastCalls.get(origin.subject) ?? origin.id);
    channel.send({ uncaught: text, ...(id !== undefined && { id }) });
  });
  // LangGraph's own server only logs these too. Many libraries leave rejections unhandled that do
  // no harm, such as those of a request that was aborted.
  process.on('unhandledRejection', (reason) => report(`unhandled rejection: ${textOf(reason)}`));
}

/** Writes a line to stderr. User code may have replaced `console`, or closed the stream. */
function report(line: string): void {
  try {
    writeSync(STDERR_FD, `${line}\n`);
  } catch {
    // Nobody can read it.
  }
}

/** Returns the stack of any thrown value, or else its name and message. */
function textOf(thrown: unknown): string {
  const stack = readField(thrown, 'stack');
  if (typeof stack === 'string' && stack !== '') return stack;
  const { error, message } = describeError(thrown);
  return `${error}: ${message}`;
}
