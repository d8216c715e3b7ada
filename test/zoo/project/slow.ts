/** A node that works for the seconds of the input, and does nothing wrong. */
import { setTimeout as sleep } from 'node:timers/promises';
import { END, START, StateGraph } from '@langchain/langgraph';
import { Request, record } from './ledger.js';

export const slow = new StateGraph(Request)
  .addNode('work', async ({ seconds }, config) => {
    record(config, 'work');
    await sleep(seconds * 1_000, undefined, config.signal && { signal: config.signal });
    return { done: ['work'] };
  })
  .addEdge(START, 'work')
  .addEdge('work', END)
  .compile();
