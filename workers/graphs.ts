import type { AgentProject } from '../agents/index.js';
import { guarded } from '../policy/index.js';
import {
  createGraphDescriptions,
  createStateAccess,
  type DescriptionDependencies,
  type GraphDescriptions,
  type StateAccess,
} from '../steps/index.js';
import { GRAPH_RULES, STATE_RULES } from './port-rules.js';
import { lastConfigOf, type Stores } from './stores.js';

/**
 * Creates the `StateAccess`, which reads and edits the states of threads with the project's graphs.
 * Each of its calls is authorized.
 */
export function openStates(stores: Stores, project: AgentProject): StateAccess {
  const states = createStateAccess({ ...stores, project, lastConfig: lastConfigOf(stores) });
  return guarded(states, STATE_RULES, stores.authorize);
}

/**
 * Creates the `GraphDescriptions`, which describe the project's graphs. Each of their calls is
 * authorized.
 */
export function openGraphs({ authorize }: Stores, options: DescriptionDependencies): GraphDescriptions {
  return guarded(createGraphDescriptions(options), GRAPH_RULES, authorize);
}
