import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, SystemMessage, ToolMessage, type BaseMessage, type ToolCall } from '@langchain/core/messages';
import { tool, type StructuredToolInterface } from '@langchain/core/tools';
import { Command, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { ToolNode } from '@langchain/langgraph/prebuilt';
import { z } from 'zod';
import type { AgentName, HiringState, HiringStateType } from './state.js';

type Update = typeof HiringState.Update;
type ToolConfig = LangGraphRunnableConfig & { toolCall?: { id?: string } };

/**
 * Options of the nodes that call a model. A model may take minutes to answer. The option `retry` is
 * not set, so only transient errors are retried. With `retry`, all errors would be retried, even
 * the error for a wrong API key.
 */
export const MODEL_NODE = { metadata: { temporal: { startToCloseTimeout: '5m', heartbeatTimeout: '10s' } } };

/** Returns a node that calls the model. */
export function modelNode(
  model: BaseChatModel,
  tools: StructuredToolInterface[],
  prompt: (state: HiringStateType) => string,
) {
  if (!model.bindTools)
    throw new TypeError(`model ${model._llmType()} cannot call tools; the hiring assistant needs one that can`);
  const withTools = model.bindTools(tools);
  return async (state: HiringStateType, config: LangGraphRunnableConfig): Promise<Update> => {
    const messages = [new SystemMessage(prompt(state)), ...answerAbandonedCalls(state.messages)];
    return { messages: [await withTools.invoke(messages, config)] };
  };
}

/**
 * Returns a node that runs the open tool calls of the last model message. Leaves the calls of the
 * tools in `others` to another node.
 */
export function toolsNode(tools: StructuredToolInterface[], others: readonly string[] = []) {
  const node = new ToolNode(tools);
  return async (state: HiringStateType, config: LangGraphRunnableConfig): Promise<Update> => {
    const calls = openCalls(state.messages).filter((call) => !others.includes(call.name));
    const asked = new AIMessage({ content: '', tool_calls: calls });
    return (await node.invoke({ messages: [asked] }, config)) as Update;
  };
}

/** Returns a tool with which the model hands the conversation over to another agent. */
export function handOff(to: AgentName, when: string): StructuredToolInterface {
  return tool(
    ({ reason }: { reason: string }, config: ToolConfig) =>
      updateFromTool(config, `transfer_to_${to}`, `The ${to} agent takes over: ${reason}`, { agent: to }),
    {
      name: `transfer_to_${to}`,
      description: when,
      schema: z.object({ reason: z.string().describe('What the person wants now, in one sentence') }),
    },
  );
}

/** Returns the result of a tool: the tool message, and an update of the state. */
export function updateFromTool(config: ToolConfig, name: string, content: string, update: Update): Command {
  const message = new ToolMessage({ content, name, tool_call_id: config.toolCall?.id ?? '' });
  return new Command({ update: { ...update, messages: [message] } });
}

/** Returns the tool calls of the last model message that no tool message answers yet. */
export function openCalls(messages: readonly BaseMessage[]): ToolCall[] {
  const at = messages.findLastIndex((message) => message.getType() === 'ai');
  const answered = new Set(messages.slice(at + 1).map((message) => (message as ToolMessage).tool_call_id));
  return ((messages[at] as AIMessage | undefined)?.tool_calls ?? []).filter((call) => !answered.has(call.id ?? ''));
}

/**
 * Adds a tool message for each tool call that has none, because models refuse a conversation with
 * an unanswered tool call. A call stays unanswered if a person ignores the question that it asks,
 * or cancels the run.
 */
function answerAbandonedCalls(messages: BaseMessage[]): BaseMessage[] {
  const answered = new Set(messages.map((message) => (message as ToolMessage).tool_call_id));
  return messages.flatMap((message) => {
    const open = ((message as AIMessage).tool_calls ?? []).filter((call) => !answered.has(call.id ?? ''));
    const notes = open.map(
      (call) =>
        new ToolMessage({ content: 'Not done: it was abandoned.', name: call.name, tool_call_id: call.id ?? '' }),
    );
    return [message, ...notes];
  });
}
