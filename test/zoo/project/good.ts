/** The bystander: two quick nodes that behave well. */
import { END, START, StateGraph } from '@langchain/langgraph';
import { Request, record } from './ledger.js';

export const good = new StateGraph(Request)
  .addNode('first', (_, config) => {
    record(config, 'first');
    return { done: ['first'] };
  })
  .addNode('second', (_, config) => {
    record(config, 'second');
    return { done: ['second'] };
  })
  .addEdge(START, 'first')
  .addEdge('first', 'second')
  .addEdge('second', END)
  .compile();
