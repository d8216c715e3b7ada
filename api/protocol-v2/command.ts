import type { Access } from '../../conversations/access.js';
import type { Caller } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';

/** The thread that a command is about, and the caller that sent the command. */
export interface CommandTarget {
  caller: Caller;
  access: Access;
  threadId: string;
  /** Idempotency key of the HTTP request that contains the command. */
  key?: string;
}

export interface CommandResult {
  result: object;
  /**
   * Sequence number of a protocol event. The command was applied after all events of the thread up
   * to this one.
   */
  appliedThrough: number;
}

export type CommandHandler = (context: ApiContext, target: CommandTarget, params: unknown) => Promise<CommandResult>;
