/**
 * Agents of `langchain` and `deepagents` that use their features together: structured output,
 * middleware with private state and hooks, subagents. Their nodes are slow, because the scripted
 * model is.
 */
import { ChatOpenAI } from '@langchain/openai';
import { createSupervisor } from '@langchain/langgraph-supervisor';
import { createHandoffTool, createSwarm } from '@langchain/langgraph-swarm';
import { StateSchema } from '@langchain/langgraph';
import { tool } from '@langchain/core/tools';
import { AIMessage } from '@langchain/core/messages';
import {
  createAgent,
  createMiddleware,
  humanInTheLoopMiddleware,
  modelCallLimitMiddleware,
  providerStrategy,
  summarizationMiddleware,
  todoListMiddleware,
  toolStrategy,
} from 'langchain';
import { createDeepAgent } from 'deepagents';
import { z } from 'zod';
import { recorded, slowly } from './recorder.js';

const model = new ChatOpenAI({ model: 'scripted' });
const City = z.object({ city: z.string() }).meta({ title: 'extract_city' });

const getWeather = tool(
  async ({ city }: { city: string }) => {
    await slowly();
    return `It is sunny in ${city}.`;
  },
  { name: 'get_weather', description: 'Weather of a city.', schema: z.object({ city: z.string() }) },
);

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

/** A hook after the agent that reads the structured response. */
const reports = createMiddleware({
  name: 'reports',
  afterAgent: async (state) => {
    await slowly();
    const { structuredResponse } = state as { structuredResponse?: unknown };
    return { messages: [new AIMessage(`structured: ${JSON.stringify(structuredResponse)}`)] };
  },
});

export const byTool: unknown = recorded(
  createAgent({ model, tools: [getWeather], responseFormat: toolStrategy(City), middleware: [reports] }).graph,
);

export const byProvider: unknown = recorded(
  createAgent({ model, tools: [], responseFormat: providerStrategy(City), middleware: [reports] }).graph,
);

export const limited: unknown = recorded(
  createAgent({
    model,
    tools: [getWeather],
    responseFormat: toolStrategy(City),
    middleware: [modelCallLimitMiddleware({ runLimit: 2, threadLimit: 5 })],
  }).graph,
);

/** A live object that the hooks of a turn share. */
class Session {
  #calls = 0;
  note(text: string): string {
    this.#calls += 1;
    return `${text} ${this.#calls}`;
  }
}

interface Hooked {
  _session?: Session;
  seen?: string[];
}
const note = (state: unknown, text: string) => (state as Hooked)._session?.note?.(text) ?? `${text} without session`;
const seen = (state: unknown, text: string) =>
  ({ seen: [...((state as Hooked).seen ?? []), note(state, text)] }) as never;

/**
 * Puts a session into private state. The state of middleware cannot have an `UntrackedValue` of its
 * own: `createAgent` of langchain 1.5.14 refuses it.
 */
const hooks = createMiddleware({
  name: 'hooks',
  stateSchema: new StateSchema({
    _session: z.custom<Session>(),
    seen: z.array(z.string()).default([]),
  }),
  beforeAgent: async (state) => {
    await slowly();
    return { ...(seen(state, 'before agent') as object), _session: new Session() } as never;
  },
  beforeModel: (state) => seen(state, 'before model'),
  afterModel: async (state) => {
    await slowly();
    return seen(state, 'after model');
  },
  wrapModelCall: async (request, handler) => {
    note(request.state, 'model');
    await slowly();
    return handler(request);
  },
  wrapToolCall: async (request, handler) => {
    note(request.state, 'tool');
    return handler(request);
  },
  afterAgent: (state) => seen(state, 'after agent'),
});

export const hooked: unknown = recorded(createAgent({ model, tools: [getWeather], middleware: [hooks] }).graph);

export const together: unknown = recorded(
  createAgent({
    model,
    tools: [getWeather, sendMail],
    responseFormat: toolStrategy(City),
    middleware: [
      todoListMiddleware(),
      modelCallLimitMiddleware({ runLimit: 20 }),
      summarizationMiddleware({ model, trigger: { messages: 9 }, keep: { messages: 4 } }),
      humanInTheLoopMiddleware({ interruptOn: { send_mail: { allowedDecisions: ['approve', 'edit', 'reject'] } } }),
      reports,
    ],
  }).graph,
);

const calculator = createAgent({ model, tools: [add], name: 'calculator', middleware: [hooks] });
const weatherman = createAgent({
  model,
  tools: [getWeather],
  name: 'weatherman',
  responseFormat: toolStrategy(City),
  middleware: [reports],
});

export const supervised: unknown = recorded(
  createSupervisor({ agents: [calculator.graph, weatherman.graph] as never, llm: model }).compile(),
);

export const swarming: unknown = recorded(
  createSwarm({
    agents: [
      createAgent({ model, tools: [add, createHandoffTool({ agentName: 'bob' })], name: 'alice', middleware: [hooks] })
        .graph,
      createAgent({
        model,
        tools: [getWeather, createHandoffTool({ agentName: 'alice' })],
        name: 'bob',
        middleware: [modelCallLimitMiddleware({ runLimit: 3 })],
      }).graph,
    ] as never,
    defaultActiveAgent: 'alice',
  }).compile(),
);

const deepAgent = createDeepAgent({
  model,
  tools: [getWeather, sendMail],
  responseFormat: toolStrategy(City),
  subagents: [
    { name: 'forecaster', description: 'Knows the weather.', systemPrompt: 'You forecast.', tools: [getWeather] },
  ],
  middleware: [modelCallLimitMiddleware({ runLimit: 30 }), reports],
  interruptOn: { send_mail: true },
});
export const deepSlow: unknown = recorded((deepAgent as unknown as { graph: unknown }).graph);
