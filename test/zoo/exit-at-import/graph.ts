/** A module that ends its process while it is imported. */
import { Annotation, START, StateGraph } from '@langchain/langgraph';

process.stderr.write('the last words of exit-at-import\n');
process.exit(3);

export const leaver = new StateGraph(Annotation.Root({ text: Annotation<string> }))
  .addNode('never', () => ({ text: 'never' }))
  .addEdge(START, 'never')
  .compile();
