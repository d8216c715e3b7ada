/**
 * The agent that the chaos program runs. It calls a model over HTTP, and has tools with external
 * effects, an interrupt and a subgraph. One of its nodes misbehaves if a message says so.
 */
import { AIMessage, SystemMessage, ToolMessage, type BaseMessage, type ToolCall } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import {
  Annotation,
  END,
  MessagesAnnotation,
  START,
  Send,
  StateGraph,
  interrupt,
  type LangGraphRunnableConfig,
} from '@langchain/langgraph';
import { ChatOpenAI } from '@langchain/openai';
import { z } from 'zod';
import { HELPER_PROMPT } from '../model-rule.js';
import { isMischief } from '../mischief.js';
import { effectName, readAsk } from '../script.js';
import { misbehave } from './mischief.js';

const State = Annotation.Root({ ...MessagesAnnotation.spec, decision: Annotation<string> });
type StateType = typeof State.State;
type Update = typeof State.Update;

const schema = z.object({ effect: z.string() });
const notCalled = () => Promise.reject(new Error('tools are run by nodes of their own'));
const TOOLS = ['record', 'send'].map((name) => tool(notCalled, { name, description: 'Acts outside.', schema }));

const model = new ChatOpenAI({
  model: 'chaos',
  apiKey: 'none',
  streaming: true,
  maxRetries: 0,
  configuration: { baseURL: process.env['CHAOS_MODEL_URL'] },
}).bindTools(TOOLS);

/**
 * Performs an external effect: sends a request to the ledger. If a task is attempted again, its
 * request has the same idempotency key as before.
 */
async function act(effect: string, callId: string, config: LangGraphRunnableConfig): Promise<string> {
  const key = [config.configurable?.['thread_id'], config.executionInfo?.taskId, callId].join('/');
  const response = await fetch(`${process.env['CHAOS_LEDGER_URL']}/effects`, {
    method: 'POST',
    body: JSON.stringify({ key, effect }),
    signal: config.signal ?? null,
  });
  if (!response.ok) throw Object.assign(new Error(`the ledger says ${response.status}`), { status: response.status });
  return `done ${effect}`;
}

async function perform(call: ToolCall, config: LangGraphRunnableConfig): Promise<ToolMessage> {
  const content = await act(String(call.args['effect']), call.id ?? '', config);
  return new ToolMessage({ content, name: call.name, tool_call_id: call.id ?? '' });
}

function openCalls(messages: BaseMessage[]): ToolCall[] {
  const last = messages.findLast((message) => AIMessage.isInstance(message));
  const answered = new Set(
    messages.flatMap((message) => (ToolMessage.isInstance(message) ? [message.tool_call_id] : [])),
  );
  return (last?.tool_calls ?? []).filter((call) => !answered.has(call.id ?? ''));
}

function askOf({ messages }: Pick<StateType, 'messages'>) {
  return readAsk(messages.findLast((message) => message.getType() === 'human')?.text ?? '');
}

async function callTools(state: StateType, config: LangGraphRunnableConfig): Promise<Update> {
  return { messages: await Promise.all(openCalls(state.messages).map((call) => perform(call, config))) };
}

const helper = new StateGraph(State)
  .addNode('mark', async (state, config) => {
    await act(effectName(askOf(state), 'mark'), 'mark', config);
    return {};
  })
  .addNode('think', async (state) => ({
    messages: [await model.invoke([new SystemMessage(HELPER_PROMPT), ...state.messages])],
  }))
  .addNode('help', callTools)
  .addEdge(START, 'mark')
  .addEdge('mark', 'think')
  .addEdge('think', 'help')
  .addEdge('help', END)
  .compile();

export const agent = new StateGraph(State)
  .addNode('stamp', async (state, config) => {
    await act(effectName(askOf(state), 'stamp'), 'stamp', config);
    return {};
  })
  .addNode('helper', helper)
  .addNode('mischief', (state, config) => misbehave(askOf(state), config))
  .addNode('agent', async (state) => ({ messages: [await model.invoke(state.messages)] }))
  .addNode('tools', callTools)
  .addNode('call', async ({ call }: { call: ToolCall }, config) => ({ messages: [await perform(call, config)] }))
  .addNode('review', (state) => {
    const [call] = openCalls(state.messages);
    return { decision: String(interrupt({ question: `May I ${String(call?.args['effect'])}?` })) };
  })
  .addNode('decide', async (state, config) => {
    if (state.decision === 'approve') return callTools(state, config);
    const rejected = openCalls(state.messages).map(
      (call) =>
        new ToolMessage({
          content: `rejected ${String(call.args['effect'])}`,
          name: call.name,
          tool_call_id: call.id ?? '',
        }),
    );
    return { messages: rejected };
  })
  .addConditionalEdges(
    START,
    (state) => {
      const { kind } = askOf(state);
      if (isMischief(kind)) return 'mischief';
      return kind === 'stamp' || kind === 'helper' ? kind : 'agent';
    },
    ['stamp', 'helper', 'mischief', 'agent'],
  )
  .addEdge('stamp', 'agent')
  .addEdge('helper', 'agent')
  .addEdge('mischief', 'agent')
  .addConditionalEdges(
    'agent',
    (state) => {
      const calls = openCalls(state.messages);
      if (calls.length === 0) return END;
      if (askOf(state).kind === 'parallel') return calls.map((call) => new Send('call', { call }));
      return calls.some((call) => call.name === 'send') ? 'review' : 'tools';
    },
    ['tools', 'call', 'review', END],
  )
  .addEdge('tools', 'agent')
  .addEdge('call', 'agent')
  .addEdge('review', 'decide')
  .addEdge('decide', 'agent')
  .compile();
