import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { END, START, StateGraph } from '@langchain/langgraph';
import { createChatModel, modelSettingsFrom } from '../model.js';
import { outboxFrom, type Outbox } from '../outbox.js';
import { buildIntake } from './intake.js';
import { offlineRules } from './offline-rules.js';
import { buildOutreach } from './outreach.js';
import { buildSourcing } from './sourcing.js';
import { AGENTS, HiringState, type AgentName, type HiringStateType } from './state.js';

export interface HiringAssistantDependencies {
  model: BaseChatModel;
  outbox: Outbox;
}

/**
 * Creates the graph of the hiring assistant: a facade over three agents. The active agent answers
 * the person's message, or hands the conversation over to another agent. Each agent is a subgraph,
 * so its supersteps are supersteps of the facade's run.
 */
export function createHiringAssistant({ model, outbox }: HiringAssistantDependencies) {
  return new StateGraph(HiringState)
    .addNode('intake', buildIntake(model))
    .addNode('sourcing', buildSourcing(model))
    .addNode('outreach', buildOutreach(model, outbox))
    .addConditionalEdges(START, (state) => state.agent, [...AGENTS])
    .addConditionalEdges('intake', after('intake'), [...AGENTS, END])
    .addConditionalEdges('sourcing', after('sourcing'), [...AGENTS, END])
    .addConditionalEdges('outreach', after('outreach'), [...AGENTS, END])
    .compile({ name: 'hiring-assistant' });
}

/**
 * Returns the function that chooses the node after `agent`. If `agent` has handed the conversation
 * over, the next node is the agent that took it over. Otherwise `agent` has answered the person,
 * and the graph ends.
 */
function after(agent: AgentName) {
  return (state: HiringStateType) => (state.agent === agent ? END : state.agent);
}

/** Creates the graph. `langgraph.json` names this function. */
export async function graph(config?: { configurable?: Record<string, unknown> }) {
  return createHiringAssistant({ model: await configuredModel(), outbox: outboxFrom(config?.configurable) });
}

let cached: { settings: string; model: Promise<BaseChatModel> } | undefined;

/** Returns the model. All runs of this process share it and its connections. */
function configuredModel(): Promise<BaseChatModel> {
  // eslint-disable-next-line no-restricted-syntax -- LangGraph projects are loaded by the name of their export, so no caller can pass settings to this code
  const settings = modelSettingsFrom(process.env);
  const key = JSON.stringify(settings);
  if (cached?.settings !== key) cached = { settings: key, model: createChatModel(settings, offlineRules) };
  return cached.model;
}
