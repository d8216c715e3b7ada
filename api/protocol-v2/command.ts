import type { Access } from '../../conversations/access.js';
import type { Caller } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';

/** The thread that a command is about, and the caller that sent the command. */
export interface CommandTarget {
  caller: Caller;
  access: Access;
  threadId: string;
  /** Idempotency key of the request. */
  key?: string;
}

export interface CommandResult {
  result: object;
  /** A sequence number. The command was applied after the thread's events up to this number. */
  appliedThrough: number;
}

export type CommandHandler = (context: ApiContext, target: CommandTarget, params: unknown) => Promise<CommandResult>;
