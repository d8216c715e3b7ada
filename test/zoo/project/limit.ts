/** Animals that exceed a limit that their own node sets. */
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const TICK_MS = 100;

const WAYS: Record<string, (config: LangGraphRunnableConfig) => Promise<void>> = {
  deaf: (config) => {
    setInterval(() => record(config, 'tick'), TICK_MS);
    return new Promise(() => {});
  },
  loop: (config) => {
    for (;;) {
      record(config, 'tick');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TICK_MS);
    }
  },
};

async function exceed({ how }: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  record(config, 'exceed');
  await select(WAYS, how)(config);
  return { done: ['exceed'] };
}

export const limit = new StateGraph(Request)
  .addNode('exceed', exceed, {
    metadata: { temporal: { startToCloseTimeout: '2s', retry: { maximumAttempts: 2, initialInterval: '100ms' } } },
  })
  .addEdge(START, 'exceed')
  .addEdge('exceed', END)
  .compile();
