import { withDatabaseErrors } from '../database/index.js';
import type { GraphCall } from '../executors/index.js';
import { createStateAccess, type GraphDescriptions, type StateAccess } from '../steps/index.js';
import { lastConfigOf, type Stores } from './stores.js';

/** Runs a call in an executor. */
export type RunCall = (call: GraphCall) => Promise<unknown>;

/** The methods of `StateAccess` that can work without the code of a graph. */
export type GraphlessStates = Pick<StateAccess, 'getState' | 'getHistory' | 'hasCheckpoint'>;

/**
 * Returns a `StateAccess` that runs the code of graphs in executors. `local` answers the calls that
 * need no graph.
 */
export function remoteStates(run: RunCall, local: GraphlessStates): StateAccess {
  const call = <T>(name: keyof StateAccess, graphId: string, threadId: string, args: unknown[], isEdit = false) => {
    const purpose = `${isEdit ? 'edited' : 'read'} the state of thread ${threadId}`;
    return run({ name: `states.${name}`, graphId, purpose, args, isEdit }) as Promise<T>;
  };
  return {
    getState: (...args) => {
      const [, graphId, threadId] = args;
      return graphId === undefined ? local.getState(...args) : call('getState', graphId, threadId, args);
    },
    hasCheckpoint: (...args) => local.hasCheckpoint(...args),
    getHistory: (...args) => {
      const [, graphId, threadId] = args;
      return graphId === undefined ? local.getHistory(...args) : call('getHistory', graphId, threadId, args);
    },
    updateState: (...args) => call('updateState', args[1], args[2], args, true),
    updateStates: (...args) => call('updateStates', args[1], args[2], args, true),
    finalValues: (...args) => call('finalValues', args[1].graphId, args[1].threadId, args),
  };
}

/** Returns a `GraphDescriptions` that runs the code of graphs in executors. */
export function remoteGraphs(run: RunCall): GraphDescriptions {
  const call = <T>(name: keyof GraphDescriptions, graphId: string, args: unknown[]) =>
    run({ name: `graphs.${name}`, graphId, purpose: 'described the graph', args }) as Promise<T>;
  return {
    draw: (...args) => call('draw', args[1], args),
    schemas: (...args) => call('schemas', args[1], args),
    takesMessages: (...args) => call('takesMessages', args[1], args),
    subgraphs: (...args) => call('subgraphs', args[1], args),
  };
}

/** Returns the reads of states that use no graph, so they can run in any process. */
export function graphlessStates(stores: Stores): GraphlessStates {
  const load = () => Promise.reject(new Error('this process does not run the code of graphs'));
  return withDatabaseErrors(createStateAccess({ ...stores, project: { load }, lastConfig: lastConfigOf(stores) }));
}
