/**
 * A graph that asks a person. It uses only features that LangGraph has had since version 0.2, so it
 * also runs with older copies of LangGraph.
 */
import { Annotation, Command, END, START, StateGraph, interrupt } from '@langchain/langgraph';

const Log = Annotation.Root({ log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }) });

const ask = new StateGraph(Log)
  .addNode('prepare', () => ({ log: ['prepared'] }))
  .addNode('ask', () => ({ log: [`answered ${String(interrupt({ question: 'Go on?' }))}`] }))
  .addEdge(START, 'prepare')
  .addEdge('prepare', 'ask')
  .addEdge('ask', END)
  .compile();

export const questions: unknown = new StateGraph(Log)
  .addNode('first', () => ({ log: ['first'] }))
  .addNode('inner', ask)
  .addNode('route', () => new Command({ goto: 'last', update: { log: ['routed'] } }), { ends: ['last'] })
  .addNode('last', () => ({ log: ['last'] }))
  .addEdge(START, 'first')
  .addEdge('first', 'inner')
  .addEdge('inner', 'route')
  .addEdge('last', END)
  .compile();
