import { commandEnvelope } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { parse } from '../http/validate.js';
import type { CommandHandler, CommandTarget } from './command.js';
import { protocolErrorOf, protocolError } from './errors.js';
import { getTree } from './agent-commands.js';
import { inject } from './inject-command.js';
import { respond, startRun } from './run-commands.js';
import { forkState, getState, listCheckpoints } from './state-commands.js';

export type CommandResponse =
  | { type: 'success'; id: number; result: object; meta: { thread_id: string; applied_through_seq: number } }
  | { type: 'error'; id: number | null; error: string; message: string };

const HANDLERS: Readonly<Record<string, CommandHandler>> = {
  'run.start': startRun,
  'input.respond': respond,
  'input.inject': inject,
  'state.get': getState,
  'state.listCheckpoints': listCheckpoints,
  'state.fork': forkState,
  'agent.getTree': getTree,
};

/** Commands that only a WebSocket supports, each with the message that an HTTP client gets. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  'subscription.subscribe': 'subscriptions are for WebSockets; over HTTP every event stream has its own filter',
  'subscription.unsubscribe': 'subscriptions are for WebSockets; over HTTP close the event stream',
  'subscription.reconnect': 'subscriptions are for WebSockets; over HTTP open the event stream again with `since`',
};

/** Names of all commands of protocol v2, over HTTP and WebSocket. */
export const COMMAND_NAMES: readonly string[] = [...Object.keys(HANDLERS), ...Object.keys(NOT_SUPPORTED)];

/** Parses a command. Errors: `invalid_argument`. */
export function readCommand(message: unknown) {
  return parse(commandEnvelope, message, 'command');
}

/**
 * Executes a command and returns its answer. If the command fails, returns an error answer. If
 * protocol v2 has no code for the error, also passes the error to `context.report`.
 */
export async function executeCommand(
  context: ApiContext,
  target: CommandTarget,
  { id, method, params }: ReturnType<typeof readCommand>,
  handlers = HANDLERS,
): Promise<CommandResponse> {
  try {
    const handler = handlerOf(handlers, method) ?? handlerOf(HANDLERS, method);
    if (!handler) throw unknownCommand(method);
    const { result, appliedThrough } = await handler(context, target, params ?? {});
    const meta = { thread_id: target.threadId, applied_through_seq: appliedThrough };
    return { type: 'success', id, result, meta };
  } catch (error) {
    return errorResponse(context, id, error, method);
  }
}

export function errorResponse(context: ApiContext, id: number | null, error: unknown, method: string): CommandResponse {
  const { code, message } = protocolErrorOf(error);
  if (code === 'unknown_error') context.report(error, `command ${method}`);
  return { type: 'error', id, error: code, message };
}

/**
 * Returns the handler of a command, if there is one. `Object.hasOwn` excludes inherited members
 * such as `constructor` and `toString`.
 */
function handlerOf(handlers: Readonly<Record<string, CommandHandler>>, method: string): CommandHandler | undefined {
  return Object.hasOwn(handlers, method) ? handlers[method] : undefined;
}

function unknownCommand(method: string): Error {
  const reason = Object.hasOwn(NOT_SUPPORTED, method) ? NOT_SUPPORTED[method] : undefined;
  if (reason !== undefined) return protocolError('not_supported', `${method}: ${reason}`);
  return protocolError('unknown_command', `unknown command ${JSON.stringify(method)}`);
}
