import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { ToolMessage, type ToolCall } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { END, interrupt, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { z } from 'zod';
import { tenantFrom, type Outbox } from '../outbox.js';
import { handOff, MODEL_NODE, modelNode, openCalls, toolsNode } from './agent.js';
import { approvalRequest, readAnswer, type MessageDraft } from './approval.js';
import { findCandidate, type Candidate } from './candidates.js';
import { HiringState, type Decision, type HiringStateType } from './state.js';

type Update = typeof HiringState.Update;

const SEND = 'send_message';

const sendSchema = z.object({
  candidate_id: z.string().describe('Id of the candidate, such as c-001'),
  subject: z.string().min(1),
  body: z.string().min(1).describe('Plain text, at most 120 words, greeting and signature included'),
});

// The model calls this tool to ask for a message to be sent. The function of the tool is never
// executed, because a person must decide first: the node `review` asks the person, and then the
// node `send` sends the message.
const sendMessage = tool(() => Promise.reject(new Error(`${SEND} is run by the nodes review and send`)), {
  name: SEND,
  description: 'Draft a message to a candidate. A person approves, edits or rejects it before it is sent.',
  schema: sendSchema,
});

const PROMPT = `You are the outreach agent of a hiring assistant. Draft a friendly, specific message of at most 120 words to the candidate
the person named, and call send_message; a person approves it first. Say afterwards what happened: sent, sent with changes, or not sent.
When a draft was rejected with a reason, call send_message again with a better draft; rejected without a reason, ask what to change.
To search again call transfer_to_sourcing; for another position transfer_to_intake. Sign as "The hiring team".`;

/** Creates the outreach agent. It drafts a message, asks a person to approve it, and sends it. */
export function buildOutreach(model: BaseChatModel, outbox: Outbox) {
  const transfers = [
    handOff('sourcing', 'The person wants to see other candidates.'),
    handOff('intake', 'The person wants to fill another position, or start over.'),
  ];
  return new StateGraph(HiringState)
    .addNode('model', modelNode(model, [sendMessage, ...transfers], prompt), MODEL_NODE)
    .addNode('tools', toolsNode(transfers, [SEND]))
    .addNode('review', review)
    .addNode('send', (state: HiringStateType, config: LangGraphRunnableConfig) => send(state, config, outbox))
    .addEdge(START, 'model')
    .addConditionalEdges('model', afterModel, ['tools', 'review', END])
    .addConditionalEdges('tools', afterTools, ['review', 'model', END])
    .addConditionalEdges('review', (state) => (state.decision ? 'send' : afterTools(state)), [
      'send',
      'review',
      'model',
      END,
    ])
    .addConditionalEdges('send', afterTools, ['review', 'model', END])
    .compile({ name: 'outreach' });
}

function prompt({ brief, shortlist, sent }: HiringStateType): string {
  return `${PROMPT}\nThe brief: ${JSON.stringify(brief)}\nShortlist: ${JSON.stringify(shortlist)}\nAlready sent to: ${JSON.stringify(sent)}`;
}

function afterModel({ messages }: HiringStateType): 'tools' | 'review' | typeof END {
  const calls = openCalls(messages);
  if (calls.length === 0) return END;
  return calls.some((call) => call.name !== SEND) ? 'tools' : 'review';
}

/**
 * Returns the next node after one of the nodes `tools`, `review` and `send`. It is `review` as long
 * as a tool call has no result: `review` handles one drafted message at a time. Otherwise it is
 * `model`, or `END` if another agent has taken over.
 */
function afterTools({ messages, agent }: HiringStateType): 'review' | 'model' | typeof END {
  if (openCalls(messages).length > 0) return 'review';
  return agent === 'outreach' ? 'model' : END;
}

function review({ messages }: HiringStateType): Update {
  const call = openCalls(messages)[0];
  if (!call) return { decision: null };
  const read = readCall(call);
  if (typeof read === 'string') return { decision: null, messages: [answerTo(call.id, read, 'error')] };
  const choice = ask(read.candidate, read.draft);
  return { decision: { callId: call.id ?? '', candidateId: read.candidate.id, ...choice } };
}

function ask(candidate: Candidate, draft: MessageDraft): Omit<Decision, 'callId' | 'candidateId'> {
  let problem: string | undefined;
  for (;;) {
    const answer: unknown = interrupt(approvalRequest(candidate, draft, problem));
    const choice = readAnswer(answer, draft);
    if (!('problem' in choice)) return choice;
    problem = choice.problem;
  }
}

/**
 * Returns the candidate and the draft that a tool call names, or a string that tells the model what
 * is wrong with the call.
 */
function readCall(call: ToolCall): { candidate: Candidate; draft: MessageDraft } | string {
  const args = sendSchema.safeParse(call.args);
  if (!args.success) return `Not sent: ${z.prettifyError(args.error)}`;
  const { candidate_id: id, ...draft } = args.data;
  const candidate = findCandidate(id);
  return candidate ? { candidate, draft } : `Not sent: there is no candidate ${id}.`;
}

async function send(state: HiringStateType, config: LangGraphRunnableConfig, outbox: Outbox): Promise<Update> {
  const { decision } = state;
  if (!decision) return {};
  const candidate = findCandidate(decision.candidateId);
  if (!candidate) throw new Error(`candidate ${decision.candidateId} of an approved message does not exist`);
  const { name, id, email } = candidate;
  const { subject, body, callId } = decision;
  if (decision.action === 'discard') {
    const why = decision.reason ? ` They said: ${decision.reason}` : '';
    return {
      decision: null,
      messages: [answerTo(callId, `Not sent: the person rejected the message to ${name}.${why}`)],
    };
  }
  const threadId = String(config.configurable?.thread_id ?? '');
  await outbox.send(idempotencyKey(threadId, callId, config), {
    tenant: tenantFrom(config.configurable),
    threadId,
    to: { id, name, email },
    subject,
    body,
  });
  const how = decision.edited ? `Sent to ${name}, as edited by the person.` : `Sent to ${name}.`;
  return { decision: null, sent: [{ callId, candidateId: id, name, subject }], messages: [answerTo(callId, how)] };
}

/**
 * Returns the idempotency key of a message. It consists of the thread id, the id of LangGraph's
 * task, and the id of the tool call. If the task is repeated, its id is the same, also in a later
 * run or in another process.
 */
function idempotencyKey(threadId: string, callId: string, config: LangGraphRunnableConfig): string {
  return [threadId, config.executionInfo?.taskId ?? '', callId].join('/');
}

function answerTo(callId: string | undefined, content: string, status: 'success' | 'error' = 'success'): ToolMessage {
  return new ToolMessage({ content, name: SEND, tool_call_id: callId ?? '', status });
}
