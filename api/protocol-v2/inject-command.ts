import { injectMessage } from '../../conversations/inject-message.js';
import { inputInjectParams } from '../../protocol/schemas/index.js';
import { parse } from '../http/validate.js';
import type { CommandHandler } from './command.js';
import { protocolError } from './errors.js';
import { lastSeqOf } from './events.js';

/** `input.inject`: passes a chat message to the run that is executing on the thread. */
export const inject: CommandHandler = async (context, target, rawParams) => {
  const { namespace, message } = parse(inputInjectParams, rawParams, 'params');
  if (namespace && namespace.length > 0) {
    throw protocolError(
      'not_supported',
      `namespace ${JSON.stringify(namespace)}: only the root of a run takes messages`,
    );
  }
  const { caller, access, threadId, key } = target;
  const appliedThrough = lastSeqOf(await context.events.tail(caller, threadId));
  const messageId = await injectMessage(context, { caller, access, threadId, key, message });
  return { result: { message_id: messageId }, appliedThrough };
};
