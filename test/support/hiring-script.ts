import { AIMessage, HumanMessage, SystemMessage, ToolMessage, type BaseMessage } from '@langchain/core/messages';
import { offlineRules } from '../../agents/hiring-assistant/offline-rules.js';
import { textOf, type ChatMessage, type ChatRequest, type ModelReply, type ModelRule } from './model-script.js';

/**
 * Makes the scripted model server answer for all agents of the hiring assistant, as the offline
 * model would.
 */
export const HIRING_RULE: ModelRule = { reply: hiringReply };

function hiringReply(request: ChatRequest): ModelReply {
  const names = new Map<string, string>();
  for (const call of request.messages.flatMap((message) => message.tool_calls ?? []))
    names.set(call.id, call.function.name);
  const messages = request.messages.map((message) => toMessage(message, names));
  return offlineRules(
    messages,
    (request.tools ?? []).map((tool) => tool.function.name),
  );
}

function toMessage(message: ChatMessage, names: ReadonlyMap<string, string>): BaseMessage {
  const content = textOf(message);
  switch (message.role) {
    case 'user':
      return new HumanMessage(content);
    case 'assistant':
      return new AIMessage({
        content,
        tool_calls: (message.tool_calls ?? []).map(({ id, function: { name, arguments: args } }) => ({
          id,
          name,
          args: JSON.parse(args) as Record<string, unknown>,
        })),
      });
    case 'tool':
      return new ToolMessage({
        content,
        tool_call_id: message.tool_call_id ?? '',
        name: names.get(message.tool_call_id ?? '') ?? '',
      });
    default:
      return new SystemMessage(content);
  }
}
