import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { tool } from '@langchain/core/tools';
import { END, START, StateGraph } from '@langchain/langgraph';
import { MODEL_NODE, modelNode, openCalls, toolsNode, updateFromTool } from './agent.js';
import { briefSchema, HiringState, type Brief, type HiringStateType } from './state.js';

const saveBrief = tool(
  (brief: Brief, config) =>
    updateFromTool(config, 'save_brief', `Saved the brief for ${brief.role}.`, { brief, agent: 'sourcing' }),
  {
    name: 'save_brief',
    description: 'Save what the person looks for, once role and wishes are known. The sourcing agent then searches.',
    schema: briefSchema,
  },
);

const PROMPT = `You are the intake agent of a hiring assistant. Find out whom the person wants to hire.
Ask short clarifying questions, all missing points in one message: the role, the skills that matter, location (or remote), seniority.
Never ask twice for something the person said does not matter. When role and wishes are clear, call save_brief. Do not invent wishes.`;

/** Creates the intake agent. It asks the person questions until the search brief is complete. */
export function buildIntake(model: BaseChatModel) {
  const tools = [saveBrief];
  return new StateGraph(HiringState)
    .addNode('model', modelNode(model, tools, prompt), MODEL_NODE)
    .addNode('tools', toolsNode(tools))
    .addEdge(START, 'model')
    .addConditionalEdges('model', (state) => (openCalls(state.messages).length > 0 ? 'tools' : END), ['tools', END])
    .addConditionalEdges('tools', (state) => (state.agent === 'intake' ? 'model' : END), ['model', END])
    .compile({ name: 'intake' });
}

function prompt({ brief }: HiringStateType): string {
  return brief ? `${PROMPT}\nThe brief so far: ${JSON.stringify(brief)}` : PROMPT;
}
