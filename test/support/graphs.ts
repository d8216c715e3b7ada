/* eslint-disable max-lines -- one table of scenarios */
import { BaseCallbackHandler } from '@langchain/core/callbacks/base';
import { AIMessage, HumanMessage, RemoveMessage, type BaseMessage } from '@langchain/core/messages';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { tool } from '@langchain/core/tools';
import {
  Annotation,
  Command,
  END,
  MessagesAnnotation,
  START,
  Send,
  StateGraph,
  StateSchema,
  UntrackedValue,
  UntrackedValueChannel,
  entrypoint,
  interrupt,
  task,
  type LangGraphRunnableConfig,
} from '@langchain/langgraph';
import { InMemoryCache } from '@langchain/langgraph-checkpoint';
import { ToolNode } from '@langchain/langgraph/prebuilt';
import { createAgent } from 'langchain';
import { z } from 'zod';
import type { LoadedGraph } from '../../agents/index.js';
import type { StreamMode } from '../../protocol/index.js';

/** A graph, and the inputs of the runs that a test does with it, in order. */
export interface Scenario {
  name: string;
  graph: () => LoadedGraph;
  turns: ScenarioTurn[];
  /**
   * Set if the state has a long list. Such a list is stored in chunks, and events contain
   * references to the chunks instead of the list.
   */
  long?: true;
  /** Set if subgraphs run in parallel, so that the order of their events can differ. */
  sideBySide?: true;
  /**
   * Set if the graph has values or callbacks that are only in memory. They are lost if the graph is
   * restarted from its checkpoint.
   */
  live?: true;
  /** Stream modes in which this graph is not tested, for the reason given at the scenario. */
  without?: StreamMode[];
}

export interface ScenarioTurn {
  input?: unknown;
  command?: { resume?: unknown; update?: unknown; goto?: string | string[] };
  /**
   * Returns the value to resume with. `ids` are the ids of the open interrupts, in order. Used
   * instead of `command`.
   */
  answers?: (ids: string[]) => unknown;
  interruptBefore?: string[];
  interruptAfter?: string[];
  recursionLimit?: number;
  /** If set, the run must fail with an error message that matches. */
  error?: RegExp;
}

const Log = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
  n: Annotation<number>({ reducer: (_, b) => b, default: () => 0 }),
});
type LogState = typeof Log.State;

const say = (name: string) => (): Partial<LogState> => ({ log: [name] });

const as = (graph: unknown) => graph as LoadedGraph;

function line(names: string[]) {
  const builder = new StateGraph(Log);
  for (const name of names) builder.addNode(name, say(name));
  const loose = builder as unknown as { addEdge(a: string, b: string): void };
  loose.addEdge(START, names[0] ?? END);
  names.forEach((name, i) => loose.addEdge(name, names[i + 1] ?? END));
  return builder;
}

function chatModel(responses: string[]) {
  return new FakeListChatModel({ responses });
}

function inner() {
  return new StateGraph(Log)
    .addNode('s1', say('s1'))
    .addNode('s2', (_, config: LangGraphRunnableConfig) => {
      config.writer?.({ from: 's2' });
      return { log: ['s2'] };
    })
    .addNode('s3', say('s3'))
    .addEdge(START, 's1')
    .addEdge('s1', 's2')
    .addEdge('s2', 's3')
    .addEdge('s3', END)
    .compile();
}

/** Two nodes, and a conditional edge between them. */
function failingEdge(route: (state: LogState) => 'b') {
  return new StateGraph(Log)
    .addNode('a', say('a'))
    .addNode('b', say('b'))
    .addEdge(START, 'a')
    .addConditionalEdges('a', route, ['b'])
    .compile();
}

function asking(name: string) {
  return new StateGraph(Log)
    .addNode(`${name}_ask`, () => ({ log: [`${name}: ${String(interrupt({ question: name }))}`] }))
    .addNode(`${name}_then`, say(`${name}_then`))
    .addNode(`${name}_again`, () => ({ log: [`${name}2: ${String(interrupt({ question: `${name} again` }))}`] }))
    .addEdge(START, `${name}_ask`)
    .addEdge(`${name}_ask`, `${name}_then`)
    .addEdge(`${name}_then`, `${name}_again`)
    .addEdge(`${name}_again`, END)
    .compile();
}

const add = tool(({ a, b }: { a: number; b: number }) => String(a + b), {
  name: 'add',
  description: 'Adds.',
  schema: z.object({ a: z.number(), b: z.number() }),
});

function toolAgent() {
  const call = (id: string, a: number) =>
    new AIMessage({ id: `ai-${id}`, content: '', tool_calls: [{ id, name: 'add', args: { a, b: 1 } }] });
  return new StateGraph(MessagesAnnotation)
    .addNode('agent', ({ messages }) => {
      const results = messages.filter((message) => message.getType() === 'tool').length;
      return {
        messages: [results < 2 ? call(`call-${results}`, results) : new AIMessage({ id: 'ai-end', content: 'done' })],
      };
    })
    .addNode('tools', new ToolNode([add]))
    .addEdge(START, 'agent')
    .addConditionalEdges('agent', ({ messages }) => ((messages.at(-1) as AIMessage).tool_calls?.length ? 'tools' : END))
    .addEdge('tools', 'agent')
    .compile();
}

/** A model that does not stream. It calls the tool twice at the same time, and then answers. */
class QuietModel extends BaseChatModel {
  constructor() {
    super({});
  }

  override _llmType(): string {
    return 'quiet';
  }

  override bindTools(): this {
    return this;
  }

  override async _generate(messages: BaseMessage[]) {
    const hasResults = messages.some((message) => message.getType() === 'tool');
    const calls = [1, 2].map((a) => ({ id: `call-${a}`, name: 'add', args: { a, b: 1 }, type: 'tool_call' as const }));
    const message = new AIMessage(hasResults ? { content: 'done' } : { content: '', tool_calls: calls });
    // The answer comes over the network, so the graph has streamed everything else before.
    await new Promise<void>((resolve) => setImmediate(resolve));
    return { generations: [{ text: message.text, message }] };
  }
}

const Live = Annotation.Root({
  log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
  secret: () => new UntrackedValueChannel<string>({ guard: false }),
  live: Annotation<{ at: Date; items: Map<string, number>; twice: (n: number) => number }>,
});
type LiveState = { log: string[]; secret?: string; live?: typeof Live.State.live };

const readSecret = (name: string) => (({ secret }: LiveState) => ({ log: [`${name}: ${secret}`] })) as never;
const readLive = (name: string) =>
  (({ live }: LiveState) => ({
    log: [`${name}: ${live?.at instanceof Date} ${live?.items.get('a')} ${live?.twice?.(2)}`],
  })) as never;

/** Counts the roots that start. LangGraph starts one in each turn. */
class RootCounter extends BaseCallbackHandler {
  name = 'root-counter';
  override awaitHandlers = true;
  roots = 0;

  override handleChainStart(...[, , , parent]: Parameters<NonNullable<BaseCallbackHandler['handleChainStart']>>): void {
    if (parent === undefined) this.roots += 1;
  }
}

export const SCENARIOS: Scenario[] = [
  {
    name: 'a line of nodes',
    graph: () => as(line(['a', 'b', 'c']).compile()),
    turns: [{ input: { log: ['in'] } }, { input: { log: ['again'] } }],
  },
  {
    name: 'a loop',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('step', ({ n }) => ({ n: n + 1, log: [`${n}`] }))
          .addEdge(START, 'step')
          .addConditionalEdges('step', ({ n }) => (n < 4 ? 'step' : END))
          .compile(),
      ),
    turns: [{ input: { n: 0 } }, { input: { n: 2 } }],
  },
  {
    name: 'parallel sends',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('split', () => ({}))
          .addNode('work', ({ n }) => ({ log: [`worked ${n}`] }))
          .addNode('join', ({ log }) => ({ n: log.length }))
          .addEdge(START, 'split')
          .addConditionalEdges('split', () => [1, 2, 3].map((n) => new Send('work', { n })), ['work'])
          .addEdge('work', 'join')
          .addEdge('join', END)
          .compile(),
      ),
    turns: [{ input: {} }],
  },
  {
    name: 'a subgraph',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('before', say('before'))
          .addNode('sub', inner())
          .addNode('after', say('after'))
          .addEdge(START, 'before')
          .addEdge('before', 'sub')
          .addEdge('sub', 'after')
          .addEdge('after', END)
          .compile(),
      ),
    turns: [{ input: {} }, { input: { log: ['second'] } }],
  },
  {
    name: 'a function that calls a subgraph',
    graph: () => {
      const sub = inner();
      return as(
        new StateGraph(Log)
          .addNode('call', async () => ({ log: (await sub.invoke({ log: ['called'] })).log }))
          .addNode('after', say('after'))
          .addEdge(START, 'call')
          .addEdge('call', 'after')
          .addEdge('after', END)
          .compile(),
      );
    },
    turns: [{ input: {} }],
  },
  {
    name: 'parallel subgraphs',
    sideBySide: true,
    // Events of the mode `events` contain the run ids of the subgraphs. These ids depend on the
    // order in which the subgraphs start.
    without: ['events'],
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('left', inner())
          .addNode('right', inner())
          .addNode('plain', say('plain'))
          .addNode('end', say('end'))
          .addEdge(START, 'left')
          .addEdge(START, 'right')
          .addEdge(START, 'plain')
          .addEdge(['left', 'right', 'plain'], 'end')
          .compile(),
      ),
    turns: [{ input: {} }],
  },
  {
    name: 'the functional API',
    graph: () => {
      const double = task('double', (n: number) => Promise.resolve(n * 2));
      return as(
        entrypoint('workflow', async (input: { n: number }) => {
          const both = await Promise.all([double(input.n), double(input.n + 1)]);
          const ok = interrupt('go on?');
          return { both, ok, more: await double(both[0] ?? 0) };
        }) as never,
      );
    },
    turns: [{ input: { n: 1 } }, { command: { resume: 'yes' } }],
  },
  {
    name: 'a dynamic interrupt, answered',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('ask', () => ({ log: [`answer: ${String(interrupt({ question: 'ok?' }))}`] }))
          .addNode('after', say('after'))
          .addEdge(START, 'ask')
          .addEdge('ask', 'after')
          .addEdge('after', END)
          .compile(),
      ),
    turns: [{ input: {} }, { command: { resume: 'fine' } }],
  },
  {
    name: 'an interrupt in a subgraph that asks twice',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('before', say('before'))
          .addNode('sub', asking('q'))
          .addNode('after', say('after'))
          .addEdge(START, 'before')
          .addEdge('before', 'sub')
          .addEdge('sub', 'after')
          .addEdge('after', END)
          .compile(),
      ),
    turns: [{ input: {} }, { command: { resume: 'one' } }, { command: { resume: 'two' } }],
  },
  {
    name: 'several interrupts at once, answered by id',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('a', () => ({ log: [`a=${String(interrupt('a?'))}`] }))
          .addNode('b', () => ({ log: [`b=${String(interrupt('b?'))}`] }))
          .addNode('end', say('end'))
          .addEdge(START, 'a')
          .addEdge(START, 'b')
          .addEdge(['a', 'b'], 'end')
          .compile(),
      ),
    turns: [
      { input: {} },
      { answers: ([first]) => ({ [first ?? '']: 1 }) },
      { answers: (ids) => Object.fromEntries(ids.map((id, i) => [id, i + 2])) },
    ],
  },
  {
    name: 'two interrupts in one node',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('ask', () => ({ log: [`${String(interrupt('first'))} ${String(interrupt('second'))}`] }))
          .addEdge(START, 'ask')
          .compile(),
      ),
    turns: [{ input: {} }, { command: { resume: 1 } }, { command: { resume: 2 } }],
  },
  {
    name: 'static interrupts',
    graph: () => as(line(['a', 'b', 'c']).compile({ interruptBefore: ['b'] as never })),
    turns: [{ input: {} }, { input: null }, { input: {}, interruptAfter: ['a'] }, { input: null }, { input: null }],
  },
  {
    name: 'commands that go to a node and update the state',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('route', ({ n }) => new Command({ goto: n > 1 ? 'big' : 'small', update: { log: ['routed'] } }), {
            ends: ['big', 'small'],
          })
          .addNode('big', say('big'))
          .addNode('small', say('small'))
          .addEdge(START, 'route')
          .compile(),
      ),
    turns: [{ input: { n: 1 } }, { input: { n: 5 } }, { command: { goto: 'small', update: { log: ['by command'] } } }],
  },
  {
    name: 'custom events and a streaming model',
    graph: () => {
      const model = chatModel(['Hello you']);
      return as(
        new StateGraph(MessagesAnnotation)
          .addNode('prepare', (_, config: LangGraphRunnableConfig) => {
            config.writer?.({ progress: 1 });
            return {};
          })
          .addNode('model', async ({ messages }) => {
            const answer = await model.invoke(messages);
            return { messages: [new AIMessage({ id: `ai-${messages.length}`, content: answer.content as string })] };
          })
          .addNode('after', () => ({ messages: [] as BaseMessage[] }))
          .addEdge(START, 'prepare')
          .addEdge('prepare', 'model')
          .addEdge('model', 'after')
          .addEdge('after', END)
          .compile(),
      );
    },
    turns: [
      { input: { messages: [{ role: 'user', content: 'hi', id: 'u1' }] } },
      { input: { messages: [{ role: 'user', content: 'more', id: 'u2' }] } },
    ],
  },
  {
    name: 'a tool node',
    graph: () => as(toolAgent()),
    turns: [{ input: { messages: [new HumanMessage({ id: 'u1', content: 'add' })] } }],
  },
  {
    // `createAgent` names the message of a model after it has been streamed.
    name: 'an agent of LangChain with parallel tools, whose model does not stream',
    graph: () => as(createAgent({ model: new QuietModel(), tools: [add] }).graph),
    turns: [
      { input: { messages: [new HumanMessage({ id: 'u1', content: 'add' })] } },
      { input: { messages: [new HumanMessage({ id: 'u2', content: 'more' })] } },
    ],
  },
  {
    name: 'a node that throws, and the next run of its thread',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('first', say('first'))
          .addNode('throws', ({ n }) => {
            if (n === 0) throw new TypeError('no such thing: n is 0');
            return { log: ['passed'] };
          })
          .addEdge(START, 'first')
          .addEdge('first', 'throws')
          .addEdge('throws', END)
          .compile(),
      ),
    turns: [{ input: { n: 0 }, error: /no such thing: n is 0/ }, { input: { n: 1 } }],
  },
  {
    name: 'a conditional edge that throws, and the next run of its thread',
    graph: () =>
      as(
        failingEdge(({ n }) => {
          if (n === 0) throw new TypeError('no route: n is 0');
          return 'b';
        }),
      ),
    turns: [{ input: { n: 0 }, error: /no route: n is 0/ }, { input: { n: 1 } }],
  },
  {
    name: 'a conditional edge that throws a value that is no error',
    graph: () =>
      as(
        failingEdge(({ n }) => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error
          if (n === 0) throw undefined;
          return 'b';
        }),
      ),
    turns: [{ input: { n: 0 }, error: /undefined/ }, { input: { n: 1 } }],
  },
  {
    name: 'a conditional edge that throws a value like an interrupt',
    graph: () =>
      as(
        failingEdge(({ n }) => {
          if (n === 0) throw Object.assign(new Error('no route'), { name: 'GraphInterrupt' });
          return 'b';
        }),
      ),
    turns: [{ input: { n: 0 }, error: /length/ }, { input: { n: 1 } }],
  },
  {
    name: 'a conditional edge that returns nothing',
    graph: () => as(failingEdge(({ n }) => (n === 0 ? undefined : 'b') as never)),
    turns: [{ input: { n: 0 }, error: /unknown or null destination/ }, { input: { n: 1 } }],
  },
  {
    name: 'a conditional edge that throws at the start and in a subgraph',
    graph: () => {
      const choose = (name: string) => (state: LogState) => {
        if (state.n === 0) throw new Error('no route: n is 0');
        return name;
      };
      const sub = failingEdge(choose('b') as never);
      return as(
        new StateGraph(Log)
          .addNode('sub', sub)
          .addConditionalEdges(START, ({ n }) => (n === 1 ? choose('x')({ n: 0 } as LogState) : 'sub') as 'sub', [
            'sub',
          ])
          .addEdge('sub', END)
          .compile(),
      );
    },
    turns: [{ input: { n: 0 }, error: /n is 0/ }, { input: { n: 1 }, error: /n is 0/ }, { input: { n: 2 } }],
  },
  {
    name: 'a question of a conditional edge',
    graph: () => as(failingEdge(() => (interrupt('which?') === 'b' ? 'b' : END) as 'b')),
    turns: [{ input: {} }, { command: { resume: 'b' } }],
  },
  {
    name: 'a node whose update is no object, or has an unknown channel',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('a', (({ n }: LogState) =>
            n === 0 ? 'no object' : n === 1 ? { log: ['a'], none: 1 } : { log: ['a'] }) as never)
          .addNode('b', say('b'))
          .addEdge(START, 'a')
          .addEdge('a', 'b')
          .compile(),
      ),
    turns: [{ input: { n: 0 }, error: /./ }, { input: { n: 1 } }, { input: { n: 2 } }],
  },
  {
    name: 'a reducer that throws',
    graph: () => {
      const State = Annotation.Root({
        log: Annotation<string[]>({
          reducer: (a, b) => {
            if (b.includes('bad')) throw new Error('cannot add');
            return a.concat(b);
          },
          default: () => [],
        }),
        n: Annotation<number>,
      });
      return as(
        new StateGraph(State)
          .addNode('a', ({ n }) => ({ log: [n === 0 ? 'bad' : 'a'] }))
          .addNode('b', () => ({ log: ['b'] }))
          .addEdge(START, 'a')
          .addEdge('a', 'b')
          .compile(),
      );
    },
    turns: [{ input: { n: 0 }, error: /cannot add/ }, { input: { n: 1 } }],
  },
  {
    name: 'the recursion limit',
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('step', ({ n }) => ({ n: n + 1 }))
          .addEdge(START, 'step')
          .addConditionalEdges('step', () => 'step')
          .compile(),
      ),
    turns: [
      { input: { n: 0 }, recursionLimit: 4, error: /Recursion limit of 4 reached/ },
      { input: { n: 9 }, recursionLimit: 7, error: /Recursion limit of 7/ },
    ],
  },
  {
    name: 'a retry policy',
    graph: () => {
      let flaky = 0;
      return as(
        new StateGraph(Log)
          .addNode(
            'flaky',
            () => {
              flaky += 1;
              if (flaky % 3 !== 0) throw new Error('not yet');
              return { log: [`after ${flaky}`] };
            },
            { retryPolicy: { maxAttempts: 3, initialInterval: 1, logWarning: false } as never },
          )
          .addEdge(START, 'flaky')
          .compile(),
      );
    },
    turns: [{ input: {} }],
  },
  {
    name: 'node caching',
    // For these two modes, runs use `streamEvents`. If all tasks of a superstep come from the
    // cache, `streamEvents` of LangGraph 1.7.3 causes an unhandled promise rejection.
    without: ['events', 'messages'],
    graph: () =>
      as(
        new StateGraph(Log)
          .addNode('slow', ({ n }) => ({ log: [`computed ${n}`] }), {
            cachePolicy: { keyFunc: ([state]: LogState[]) => String(state?.n) } as never,
          })
          .addNode('after', say('after'))
          .addEdge(START, 'slow')
          .addEdge('slow', 'after')
          .compile({ cache: new InMemoryCache() as never }),
      ),
    turns: [{ input: { n: 1 } }, { input: { n: 1 } }],
  },
  {
    name: 'a private state and an output schema',
    graph: () =>
      as(
        new StateGraph({
          input: Annotation.Root({ n: Annotation<number> }),
          output: Annotation.Root({ out: Annotation<string> }),
          state: Annotation.Root({ n: Annotation<number>, hidden: Annotation<number>, out: Annotation<string> }),
        } as never)
          .addNode('a', ((state: { n: number }) => ({ hidden: state.n * 2 })) as never)
          .addNode('b', ((state: { hidden: number }) => ({ out: `h${state.hidden}` })) as never)
          .addEdge(START, 'a' as never)
          .addEdge('a' as never, 'b' as never)
          .compile(),
      ),
    turns: [{ input: { n: 4 } }],
  },
  {
    name: 'an UntrackedValue that one node sets and the next ones read',
    live: true,
    graph: () => {
      const State = new StateSchema({ log: z.array(z.string()).default([]), secret: new UntrackedValue<string>() });
      const read = (name: string) =>
        (({ log, secret }: LiveState) => ({ log: [...log, `${name}: ${secret}`] })) as never;
      return as(
        new StateGraph(State)
          .addNode('before', read('before'))
          .addNode('set', (() => ({ secret: 'word' })) as never)
          .addNode('read', read('read'))
          .addNode('again', read('again'))
          .addEdge(START, 'before' as never)
          .addEdge('before' as never, 'set' as never)
          .addEdge('set' as never, 'read' as never)
          .addEdge('read' as never, 'again' as never)
          .compile(),
      );
    },
    turns: [{ input: { log: [] } }, { input: {} }],
  },
  {
    name: 'an UntrackedValueChannel in a condition and in a subgraph',
    live: true,
    graph: () => {
      const sub = new StateGraph(Live)
        .addNode('s1', readSecret('s1'))
        .addNode('s2', readSecret('s2'))
        .addEdge(START, 's1' as never)
        .addEdge('s1' as never, 's2' as never)
        .compile();
      return as(
        new StateGraph(Live)
          .addNode('set', (() => ({ secret: 'word' })) as never)
          .addNode('wait', () => ({}))
          .addNode('sub', sub)
          .addNode('none', (() => ({ log: ['none'] })) as never)
          .addEdge(START, 'set' as never)
          .addEdge('set' as never, 'wait' as never)
          .addConditionalEdges(
            'wait' as never,
            (({ secret }: LiveState) => (secret ? 'sub' : 'none')) as never,
            ['sub', 'none'] as never,
          )
          .compile(),
      );
    },
    turns: [{ input: {} }, { input: {} }],
  },
  {
    name: 'values between nodes that cannot be stored as they are',
    live: true,
    graph: () =>
      as(
        new StateGraph(Live)
          .addNode('make', (() => ({
            live: { at: new Date(0), items: new Map([['a', 1]]), twice: (n: number) => 2 * n },
          })) as never)
          .addNode('read', readLive('read'))
          .addNode('again', readLive('again'))
          .addEdge(START, 'make' as never)
          .addEdge('make' as never, 'read' as never)
          .addEdge('read' as never, 'again' as never)
          .compile(),
      ),
    turns: [{ input: {} }],
  },
  {
    name: 'callbacks that the author of the graph has attached',
    live: true,
    graph: () => {
      const counter = new RootCounter();
      const count = (name: string) => () => ({ log: [`${name}: root ${counter.roots}`] });
      const graph = new StateGraph(Log)
        .addNode('a', count('a'))
        .addNode('b', count('b'))
        .addNode('c', count('c'))
        .addEdge(START, 'a')
        .addEdge('a', 'b')
        .addEdge('b', 'c')
        .compile();
      return as(graph.withConfig({ callbacks: [counter] }));
    },
    turns: [{ input: {} }, { input: {} }],
  },
  {
    name: 'a long conversation, edited and cut',
    long: true,
    graph: () =>
      as(
        new StateGraph(MessagesAnnotation)
          .addNode('reply', ({ messages }) => ({
            messages: [
              new AIMessage({ id: `reply-${messages.length}`, content: `reply to ${messages.length} messages` }),
            ],
          }))
          .addNode('edit', ({ messages }) => ({
            messages: [
              new HumanMessage({ id: messages[30]?.id ?? '', content: 'edited' }),
              new RemoveMessage({ id: messages[7]?.id ?? '' }),
            ],
          }))
          .addEdge(START, 'reply')
          .addEdge('reply', 'edit')
          .addEdge('edit', END)
          .compile(),
      ),
    turns: [
      {
        input: {
          messages: Array.from({ length: 60 }, (_, n) => ({ role: 'user', id: `m${n}`, content: `${n} `.repeat(400) })),
        },
      },
      { input: { messages: [{ role: 'user', id: 'next', content: 'go on' }] } },
    ],
  },
];
