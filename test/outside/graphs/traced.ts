/** Graphs whose callbacks matter: a model and a tool in nodes, subgraphs, a question, an error. */
import { ChatOpenAI } from '@langchain/openai';
import { tool } from '@langchain/core/tools';
import { RunnableLambda } from '@langchain/core/runnables';
import {
  Annotation,
  START,
  Send,
  StateGraph,
  entrypoint,
  interrupt,
  task,
  type LangGraphRunnableConfig,
} from '@langchain/langgraph';
import { z } from 'zod';
import { recorded, slowly } from './recorder.js';

/** Adds the new lines. Leaves out those that a subgraph got from its parent and returns. */
const merge = (a: string[], b: string[]) => [...new Set([...a, ...b])];

const model = new ChatOpenAI({ model: 'scripted' });
const Log = Annotation.Root({
  log: Annotation<string[]>({ reducer: merge, default: () => [] }),
  fails: Annotation<boolean>,
});
type LogState = typeof Log.State;

const double = tool(({ n }: { n: number }) => String(2 * n), {
  name: 'double',
  description: 'Doubles a number.',
  schema: z.object({ n: z.number() }),
});
const shout = RunnableLambda.from((text: string) => `${text}!`).withConfig({ runName: 'shout' });

/** Passes `config` on, so callbacks reach the model, the tool and the chain. */
async function work(_: LogState, config: LangGraphRunnableConfig): Promise<Partial<LogState>> {
  config.writer?.({ progress: 'asks the model' });
  const { text } = await model.invoke('Hello.', config);
  const twice = (await double.invoke({ n: 2 }, config)) as unknown as string;
  return { log: [text, twice, await shout.invoke('done', config)] };
}

/** Passes no config on. LangChain then takes the callbacks from the async context. */
async function workAlone(): Promise<Partial<LogState>> {
  const { text } = await model.invoke('Hello again.');
  return { log: [text] };
}

const wait = (name: string) => async () => {
  await slowly();
  return { log: [name] };
};

const inner = new StateGraph(Log)
  .addNode('slow_inner', wait('slow_inner'))
  .addNode('inner_work', work)
  .addEdge(START, 'slow_inner')
  .addEdge('slow_inner', 'inner_work')
  .compile();

export const traced: unknown = recorded(
  new StateGraph(Log)
    .addNode('one', wait('one'))
    .addNode('work', work)
    .addNode('alone', workAlone)
    .addNode('inner', inner)
    .addNode('called', async (_: LogState, config: LangGraphRunnableConfig) => inner.invoke({ log: [] }, config))
    .addNode('quick', () => ({ log: ['quick'] }))
    .addNode('last', async ({ fails }) => {
      await slowly();
      if (fails) throw new TypeError('as the input wants');
      return { log: ['last'] };
    })
    .addEdge(START, 'one')
    .addEdge('one', 'work')
    .addEdge('work', 'alone')
    .addEdge('alone', 'inner')
    .addEdge('inner', 'called')
    .addEdge('called', 'quick')
    .addEdge('quick', 'last')
    .compile(),
);

export const asking: unknown = recorded(
  new StateGraph(Log)
    .addNode('slow', wait('slow'))
    .addNode('ask', () => ({ log: [String(interrupt('Go on?'))] }))
    .addNode('slow_end', wait('slow_end'))
    .addEdge(START, 'slow')
    .addEdge('slow', 'ask')
    .addEdge('ask', 'slow_end')
    .compile(),
);

export const parallel: unknown = recorded(
  new StateGraph(Log)
    .addNode('split', wait('split'))
    .addNode('branch', (async ({ n }: { n: number }) => {
      if (n > 1) await slowly();
      return { log: [`branch ${n}`] };
    }) as never)
    .addNode('left', inner)
    .addNode('join', wait('join'), { defer: true })
    .addEdge(START, 'split')
    .addConditionalEdges('split', () => [...[1, 2, 3].map((n) => new Send('branch', { n })), 'left'], [
      'branch',
      'left',
    ])
    .addEdge('branch' as never, 'join')
    .addEdge('left', 'join')
    .compile(),
);

const slowDouble = task('slow_double', async (n: number) => {
  await slowly();
  return 2 * n;
});

export const functionalTraced: unknown = recorded(
  entrypoint('functional_traced', async ({ n }: { n: number }) => {
    const both = await Promise.all([slowDouble(n), slowDouble(n + 1)]);
    return { both, more: await slowDouble(both[0] ?? 0) };
  }),
);
