/** Animals whose promises reject while nothing handles them. LangGraph's server only logs these. */
import { setTimeout as sleep } from 'node:timers/promises';
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const REASONS: Record<string, () => unknown> = {
  error: () => new Error('rejected while nobody listened'),
  undefined: () => undefined,
  symbol: () => Symbol('a reason'),
  /** Has no prototype, so it cannot be turned into a string. */
  bare: () => Object.create(null) as unknown,
  cycle: () => {
    const error = new Error('its own cause');
    error.cause = error;
    return error;
  },
  many: () => new Error('one of many'),
};
const MANY = 1_000;

async function reject({ how }: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  record(config, 'reject');
  for (let count = how === 'many' ? MANY : 1; count > 0; count -= 1) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- any value can be a reason
    void Promise.reject(select(REASONS, how)());
  }
  await sleep(200);
  return { done: ['reject'] };
}

export const rejects = new StateGraph(Request)
  .addNode('reject', reject)
  .addEdge(START, 'reject')
  .addEdge('reject', END)
  .compile();
