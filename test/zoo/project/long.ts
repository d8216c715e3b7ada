/** One turn of as many supersteps as the input says. */
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { record } from './ledger.js';

const Count = Annotation.Root({ count: Annotation<number>, of: Annotation<number> });

export const long = new StateGraph(Count)
  .addNode('advance', ({ count = 0 }, config) => {
    record(config, 'advance');
    return { count: count + 1 };
  })
  .addEdge(START, 'advance')
  .addConditionalEdges('advance', ({ count, of }) => (count < of ? 'advance' : END), ['advance', END])
  .compile();
