/**
 * Graphs for tests, made with agent packages such as `langchain` and `deepagents`. This file is
 * copied into a separate project. Colloquy and the process of `in-process-main.ts` both load it
 * from there.
 */
import { ChatOpenAI } from '@langchain/openai';
import { createReactAgent } from '@langchain/langgraph/prebuilt';
import { createHandoffTool, createSwarm } from '@langchain/langgraph-swarm';
import { createSupervisor } from '@langchain/langgraph-supervisor';
import { entrypoint, getPreviousState, interrupt, task } from '@langchain/langgraph';
import {
  coerceMessageLikeToMessage,
  type AIMessage,
  type BaseMessage,
  type BaseMessageLike,
} from '@langchain/core/messages';
import type { ToolCall } from '@langchain/core/messages/tool';
import { tool, type StructuredToolInterface } from '@langchain/core/tools';
import { createAgent, humanInTheLoopMiddleware, summarizationMiddleware, todoListMiddleware } from 'langchain';
import { createDeepAgent } from 'deepagents';
import { z } from 'zod';

const model = new ChatOpenAI({ model: 'scripted' });

const getWeather = tool(({ city }: { city: string }) => `It is sunny in ${city}.`, {
  name: 'get_weather',
  description: 'Weather of a city.',
  schema: z.object({ city: z.string() }),
});

const sendMail = tool(({ to }: { to: string }) => `Sent to ${to}.`, {
  name: 'send_mail',
  description: 'Sends a mail.',
  schema: z.object({ to: z.string(), text: z.string() }),
});

const add = tool(({ a, b }: { a: number; b: number }) => String(a + b), {
  name: 'add',
  description: 'Adds two numbers.',
  schema: z.object({ a: z.number(), b: z.number() }),
});

const askPerson = tool(({ question }: { question: string }) => `They said: ${String(interrupt({ question }))}`, {
  name: 'ask_person',
  description: 'Asks a person.',
  schema: z.object({ question: z.string() }),
});

export const middleware: unknown = createAgent({
  model,
  tools: [getWeather, sendMail],
  middleware: [
    summarizationMiddleware({ model, trigger: { messages: 8 }, keep: { messages: 3 } }),
    humanInTheLoopMiddleware({ interruptOn: { send_mail: { allowedDecisions: ['approve', 'edit', 'reject'] } } }),
  ],
});

export const react: unknown = createReactAgent({
  llm: model,
  tools: [getWeather, add, askPerson],
  prompt: 'Be brief.',
});

export const swarm: unknown = createSwarm({
  agents: [
    createReactAgent({ llm: model, tools: [add, createHandoffTool({ agentName: 'bob' })], name: 'alice' }),
    createReactAgent({ llm: model, tools: [getWeather, createHandoffTool({ agentName: 'alice' })], name: 'bob' }),
  ] as never,
  defaultActiveAgent: 'alice',
});

export const supervisor: unknown = createSupervisor({
  agents: [
    createReactAgent({ llm: model, tools: [add], name: 'math' }),
    createReactAgent({ llm: model, tools: [getWeather, askPerson], name: 'research' }),
  ],
  llm: model,
});

export const deep: unknown = createDeepAgent({
  model,
  tools: [getWeather, sendMail],
  subagents: [
    { name: 'forecaster', description: 'Knows the weather.', systemPrompt: 'You forecast.', tools: [getWeather] },
  ],
  middleware: [todoListMiddleware()],
  interruptOn: { send_mail: true },
});

const TOOLS = new Map<string, StructuredToolInterface>([getWeather, askPerson].map((one) => [one.name, one]));
const askModel = task('ask_model', (messages: BaseMessage[]): Promise<AIMessage> => model.invoke(messages));
const useTool = task('use_tool', async (call: ToolCall): Promise<BaseMessage> => {
  return (await TOOLS.get(call.name)?.invoke(call)) as BaseMessage;
});

/**
 * An agent in LangGraph's functional API: it calls the model and the tools as tasks, and continues
 * with the messages that the previous run saved.
 */
export const functional: unknown = entrypoint('functional', async ({ messages }: { messages: BaseMessageLike[] }) => {
  const before = getPreviousState<BaseMessage[]>() ?? [];
  let all = [...before, ...messages.map(coerceMessageLikeToMessage)];
  for (;;) {
    const answer = await askModel(all);
    all = [...all, answer];
    if (!answer.tool_calls?.length) return entrypoint.final({ value: { messages: all }, save: all });
    all = [...all, ...(await Promise.all(answer.tool_calls.map((call) => useTool(call))))];
  }
});
