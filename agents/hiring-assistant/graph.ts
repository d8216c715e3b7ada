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
 * A facade over three agents. The active agent takes the person's message and hands the
 * conversation over if needed. Each agent is a compiled graph, so its steps are steps of the
 * facade.
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
 * Returns what follows an agent. If the agent is still active, it has answered and the graph ends;
 * the person writes next.
 */
function after(agent: AgentName) {
  return (state: HiringStateType) => (state.agent === agent ? END : state.agent);
}

/** The graph that `langgraph.json` names. */
export async function graph(config?: { configurable?: Record<string, unknown> }) {
  return createHiringAssistant({ model: await configuredModel(), outbox: outboxFrom(config?.configurable) });
}

let cached: { settings: string; model: Promise<BaseChatModel> } | undefined;

/** Returns one model, with its connections, for all runs of the process. */
function configuredModel(): Promise<BaseChatModel> {
  // eslint-disable-next-line no-restricted-syntax -- loaded by the name of its export, like any LangGraph project: nobody can hand it settings
  const settings = modelSettingsFrom(process.env);
  const key = JSON.stringify(settings);
  if (cached?.settings !== key) cached = { settings: key, model: createChatModel(settings, offlineRules) };
  return cached.model;
}
