import { describe, expect, it } from '@jest/globals';
import { Command, MemorySaver } from '@langchain/langgraph';
import { createHiringAssistant } from '../../agents/hiring-assistant/graph.js';
import { offlineRules } from '../../agents/hiring-assistant/offline-rules.js';
import { createChatModel } from '../../agents/model.js';
import { OFFLINE_LABEL, OFFLINE_MODEL_NAME } from '../../agents/offline-model.js';
import { MemoryOutbox, TENANT_KEY } from '../../agents/outbox.js';

const BRIEF = 'A senior backend engineer who knows TypeScript and Kafka, in Lisbon';

/** Starts a conversation with the assistant in this process, with the offline model. */
async function converse() {
  const outbox = new MemoryOutbox();
  const model = await createChatModel({ model: 'offline' }, offlineRules);
  const graph = createHiringAssistant({ model, outbox });
  graph.checkpointer = new MemorySaver();
  const config = { configurable: { thread_id: 'thread-1', [TENANT_KEY]: 'acme' } };

  const take = async (input: object) => {
    const state = await graph.invoke(input as never, config);
    const { tasks } = await graph.getState(config);
    return { state, reply: state.messages.at(-1)?.text ?? '', questions: tasks.flatMap((task) => task.interrupts) };
  };
  return {
    outbox,
    graph,
    config,
    say: (text: string) => take({ messages: [{ role: 'user', content: text }] }),
    answer: (value: unknown) => take(new Command({ resume: value })),
  };
}

async function askedToContactAna() {
  const conversation = await converse();
  await conversation.say('Hi, I need to hire someone');
  await conversation.say(BRIEF);
  return { ...conversation, turn: await conversation.say('contact Ana') };
}

describe('the hiring assistant with the offline model', () => {
  it('first says that it runs without a real model, and asks for role, skills and seniority', async () => {
    const { say } = await converse();
    const { reply, state } = await say('Hi, I need to hire someone');
    expect(reply.startsWith(OFFLINE_LABEL)).toBe(true);
    expect(reply).toContain('Which role');
    expect(reply).toContain('Which skills');
    expect(reply).toContain('How senior');
    expect(state.messages.at(-1)?.response_metadata).toMatchObject({ model_name: OFFLINE_MODEL_NAME });
  });

  it('asks only for the criteria that the person has not given yet', async () => {
    const { say } = await converse();
    const { reply } = await say('I am looking for a remote product designer');
    expect(reply).toContain('Which skills');
    expect(reply).not.toContain('Which role');
    expect(reply).not.toContain('Where should');
  });

  it('reads no more than the beginning of a long message', async () => {
    const { say } = await converse();
    const far = `${'a-'.repeat(80_000)} product designer in Lisbon`;
    expect((await say(far)).reply).toContain('Which role');
    const near = `product designer in Lisbon ${'a-'.repeat(80_000)}`;
    const { reply } = await say(near);
    expect(reply).not.toContain('Which role');
    expect(reply).not.toContain('Where should');
  });

  it('reads only the latest messages of a very long conversation', async () => {
    const { graph, config } = await converse();
    const filler = Array.from({ length: 50 }, () => ({ role: 'user', content: 'a-'.repeat(1_000) }));
    const first = { role: 'user', content: 'product designer in Lisbon' };
    const asked = await graph.invoke({ messages: [first, ...filler] } as never, config);
    expect(asked.messages.at(-1)?.text).toContain('Which role');
  });

  it('calls the search tool when it knows enough, and gives candidates with reasons', async () => {
    const { say } = await converse();
    await say('Hi, I need to hire someone');
    const { state, reply } = await say(BRIEF);
    expect(state.brief).toEqual({
      role: 'Backend Engineer',
      skills: ['TypeScript', 'Kafka'],
      location: 'Lisbon',
      seniority: 'senior',
    });
    expect(state.messages.filter((message) => message.getType() === 'tool').map((message) => message.name)).toEqual([
      'save_brief',
      'search_candidates',
    ]);
    expect(state.shortlist[0]).toEqual({ id: 'c-001', name: 'Ana Silva' });
    expect(reply).toContain(
      '1. Ana Silva, Backend Engineer, Lisbon, Portugal: senior, 8 years as Backend Engineer; knows TypeScript, Kafka',
    );
  });

  it('starts the search when the person says that the missing criteria do not matter', async () => {
    const { say } = await converse();
    await say('I need a data scientist');
    const { state } = await say('any');
    expect(state.brief).toEqual({ role: 'Data Scientist', skills: [] });
    expect(state.agent).toBe('sourcing');
  });

  it('shows other candidates when the person asks for more', async () => {
    const { say } = await converse();
    await say('I need someone');
    const first = (await say(BRIEF)).state.shortlist.map(({ id }) => id);
    const second = (await say('show me more')).state.shortlist.map(({ id }) => id);
    expect(second).not.toHaveLength(0);
    expect(second.filter((id) => first.includes(id))).toEqual([]);
  });

  it('asks the person before it sends a message, and shows the draft in the question', async () => {
    const { turn, outbox } = await askedToContactAna();
    expect(turn.questions).toHaveLength(1);
    expect(turn.questions[0]?.value).toMatchObject({
      type: 'approval',
      question: 'Send this message to Ana Silva?',
      candidate: { id: 'c-001', name: 'Ana Silva', title: 'Backend Engineer', location: 'Lisbon, Portugal' },
      draft: { subject: 'Backend Engineer: shall we talk?' },
      actions: ['approve', 'edit', 'reject'],
    });
    expect(outbox.messages).toEqual([]);
  });

  it('sends one message, under the tenant of the run, when the person approves the draft', async () => {
    const { answer, outbox } = await askedToContactAna();
    const { reply, state } = await answer('approve');
    expect(outbox.messages).toMatchObject([
      { tenant: 'acme', threadId: 'thread-1', to: { id: 'c-001', name: 'Ana Silva', email: 'ana.silva@example.com' } },
    ]);
    expect(state.sent).toMatchObject([{ candidateId: 'c-001', name: 'Ana Silva' }]);
    expect(reply).toContain('Sent to Ana Silva.');
  });

  it('sends the draft as the person edited it', async () => {
    const { answer, outbox } = await askedToContactAna();
    const { reply } = await answer({ action: 'edit', draft: { subject: 'Hello Ana' } });
    expect(outbox.messages[0]?.subject).toBe('Hello Ana');
    expect(outbox.messages[0]?.body).toContain('Hi Ana,');
    expect(reply).toContain('as edited by the person');
  });

  it('sends nothing when the person rejects the draft', async () => {
    const { answer, outbox } = await askedToContactAna();
    const { reply, questions } = await answer({ action: 'reject' });
    expect(outbox.messages).toEqual([]);
    expect(questions).toEqual([]);
    expect(reply).toContain('I did not send it.');
  });

  it('treats an answer in free text as a request for a new draft, and asks again', async () => {
    const { answer, outbox } = await askedToContactAna();
    const { questions } = await answer('please make it shorter');
    expect(outbox.messages).toEqual([]);
    expect(questions[0]?.value).toMatchObject({ draft: { body: expect.stringContaining('may we talk about') } });
    await answer(true);
    expect(outbox.messages).toHaveLength(1);
  });

  it('asks again when an answer is invalid, and shows what is wrong with the answer', async () => {
    const { answer, outbox } = await askedToContactAna();
    const { questions } = await answer({ action: 'aprove' });
    expect(questions[0]?.value).toMatchObject({ problem: 'action: expected approve, edit or reject, found "aprove"' });
    await answer({ action: 'approve' });
    expect(outbox.messages).toHaveLength(1);
  });

  it('drops its open question when the person asks for something else', async () => {
    const { say, outbox } = await askedToContactAna();
    const { questions, reply } = await say('I am looking for another position: a product designer');
    expect(questions).toEqual([]);
    expect(reply).toContain('A Product Designer');
    expect(outbox.messages).toEqual([]);
  });

  it('writes to two people one after the other', async () => {
    const { say, answer, outbox, turn } = await askedToContactAna();
    await answer('approve');
    const other = turn.state.shortlist[1]?.name ?? '';
    await say(`now write to ${other}`);
    const { state } = await answer('approve');
    expect(outbox.messages.map((message) => message.to.name)).toEqual(['Ana Silva', other]);
    expect(state.sent.map((message) => message.name)).toEqual(['Ana Silva', other]);
  });

  it('streams its reply token by token', async () => {
    const { graph, config } = await converse();
    const stream = await graph.stream(
      { messages: [{ role: 'user', content: 'Hi' }] },
      { ...config, streamMode: 'messages', subgraphs: true },
    );
    let tokens = 0;
    for await (const part of stream) tokens += (part as unknown[]).length > 0 ? 1 : 0;
    expect(tokens).toBeGreaterThan(20);
  });

  it('derives the ids of tool calls from the conversation, so that a retried step creates the same ids', async () => {
    const [one, two] = [await askedToContactAna(), await askedToContactAna()];
    const calls = (turn: typeof one.turn) =>
      turn.state.messages.map((message) => (message as { tool_calls?: unknown }).tool_calls);
    expect(calls(one.turn)).toEqual(calls(two.turn));
  });
});
