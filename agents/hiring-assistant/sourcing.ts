import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { tool } from '@langchain/core/tools';
import { END, START, StateGraph } from '@langchain/langgraph';
import { z } from 'zod';
import { handOff, MODEL_NODE, modelNode, openCalls, toolsNode, updateFromTool } from './agent.js';
import { searchCandidates, type CandidateSearch } from './candidates.js';
import { HiringState, SENIORITIES, type HiringStateType } from './state.js';

const searchSchema = z.object({
  query: z.string().min(1).describe('Job title and other words to look for'),
  skills: z.array(z.string()).max(12).optional().describe('Skills, most important first'),
  location: z.string().optional().describe('City, country, or remote'),
  seniority: z.enum(SENIORITIES).optional().describe('For senior and lead this is the lowest level'),
  exclude: z
    .array(z.string())
    .max(60)
    .optional()
    .describe('Ids of candidates the person has seen and does not want again'),
  limit: z.number().int().min(1).max(10).default(4),
});

const search = tool(
  (query: z.infer<typeof searchSchema>, config) => {
    const found = searchCandidates(query);
    const shortlist = found.matches.map(({ candidate: { id, name } }) => ({ id, name }));
    return updateFromTool(config, 'search_candidates', describe(found), { shortlist });
  },
  {
    name: 'search_candidates',
    description: 'Search the candidates; gives the best matches with reasons, as JSON.',
    schema: searchSchema,
  },
);

const PROMPT = `You are the sourcing agent of a hiring assistant. Search with search_candidates and present at most four people:
name, title, location, and why they fit, from the reasons given. Say which wishes were dropped. Never invent a person or a fact.
Then ask whom to contact. When the person wants to contact somebody, call transfer_to_outreach; for another position, transfer_to_intake.`;

/** Creates the sourcing agent. It finds people who fit the search brief. */
export function buildSourcing(model: BaseChatModel) {
  const tools = [
    search,
    handOff('outreach', 'The person wants to contact or write to a candidate.'),
    handOff('intake', 'The person wants to fill another position, or start over.'),
  ];
  return new StateGraph(HiringState)
    .addNode('model', modelNode(model, tools, prompt), MODEL_NODE)
    .addNode('tools', toolsNode(tools))
    .addEdge(START, 'model')
    .addConditionalEdges('model', (state) => (openCalls(state.messages).length > 0 ? 'tools' : END), ['tools', END])
    .addConditionalEdges('tools', (state) => (state.agent === 'sourcing' ? 'model' : END), ['model', END])
    .compile({ name: 'sourcing' });
}

function prompt({ brief }: HiringStateType): string {
  return `${PROMPT}\nThe brief: ${JSON.stringify(brief)}`;
}

/**
 * Converts a search result to JSON for the model. Leaves out email addresses, which the model does
 * not need.
 */
function describe({ matches, relaxed }: CandidateSearch): string {
  const candidates = matches.map(({ candidate: { email: _, ...rest }, reasons }) => ({ ...rest, reasons }));
  return JSON.stringify({ candidates, relaxed });
}
