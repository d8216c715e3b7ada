import type { ErrorCode } from '../protocol/index.js';

/** What an executor does for the process that started it. Each call has a number, its id. */
export type ToExecutor =
  /** The first message. `graphId`: the only graph to load. Absent: all graphs of the project. */
  | { start: { config: unknown; graphId?: string } }
  | { id: number; call: string; args: unknown[] }
  /** Ends a call early. The call is answered when everything that it does has stopped. */
  | { abort: number }
  /** Ends all steps after their current superstep. */
  | { drain: true }
  | { ping: number };

export type FromExecutor =
  /** The project is loaded, and calls are accepted. */
  | { ready: unknown }
  | { failedToStart: PlainError }
  | { id: number; value: unknown }
  | { id: number; error: PlainError }
  | { pong: number; rss: number }
  /**
   * An exception that no code has caught. `id`: the call whose code has thrown it. This call may have
   * ended already. Absent if it is unknown.
   */
  | { uncaught: string; id?: number };

/** An error as plain data, so that it can be sent to another process. */
export interface PlainError {
  name: string;
  message: string;
  code?: ErrorCode;
  field?: string;
  errorName?: string;
  retryAfterMs?: number;
  /** Node's code of a connection that broke, such as `ECONNRESET`. */
  networkCode?: string;
  stack?: string;
  cause?: PlainError;
}
