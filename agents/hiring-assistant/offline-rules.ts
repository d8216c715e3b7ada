import type { AIMessage, BaseMessage, ToolMessage } from '@langchain/core/messages';
import type { OfflineReply, OfflineRules } from '../offline-model.js';
import { findCandidate, type Candidate } from './candidates.js';
import { mergeWishes, readWishes, type Wishes } from './wishes.js';

interface FoundCandidate extends Pick<Candidate, 'id' | 'name' | 'title' | 'location'> {
  reasons: string[];
}

/**
 * Scripted replies of the three agents, used if no model is configured. The names of the tools that
 * an agent may call show which agent it is. A reply depends only on these names and on the
 * conversation.
 */
export const offlineRules: OfflineRules = (messages, tools) => {
  if (tools.includes('save_brief')) return intake(messages);
  if (tools.includes('search_candidates')) return sourcing(messages);
  return outreach(messages);
};

/**
 * Limits of the text that regular expressions are matched against: characters of a message, and
 * number of messages. Matching blocks the event loop of the worker.
 */
const LONGEST_READ = 2_000;
const MOST_MESSAGES_READ = 50;

/** Returns the text of a message, cut to `LONGEST_READ` characters. */
function readText(message: BaseMessage | undefined): string {
  const text = message?.text.slice(0, LONGEST_READ) ?? '';
  // The cut may leave half of a surrogate pair at the end. That is not valid text, and databases
  // refuse it.
  return text.replace(/[\ud800-\udbff]$/, '');
}

// ---- replies of the intake agent

const QUESTIONS = 2;
const ASKS_FOR_MORE = /\b(more|other|another|others|search|candidates)\b/i;

function intake(messages: readonly BaseMessage[]): OfflineReply {
  const since = messages.slice(startOfBrief(messages));
  const messagesFromPerson = since.filter((message) => message.getType() === 'human').slice(-MOST_MESSAGES_READ);
  const wishes = mergeWishes(messagesFromPerson.map((message) => readWishes(readText(message))));
  const asked = since.filter((message) => message.getType() === 'ai' && message.text !== '').length;
  const missing = missingPoints(wishes);
  if (missing.length > 0 && (!wishes.role || (!wishes.anything && asked < QUESTIONS))) return question(wishes, missing);
  const { anything: _, ...brief } = { skills: [], ...wishes };
  return { text: '', toolCalls: [{ name: 'save_brief', args: brief }] };
}

/**
 * Returns the index of the first message that belongs to the current search brief. A request for
 * another position starts a new brief, even if the person sent it to another agent.
 */
function startOfBrief(messages: readonly BaseMessage[]): number {
  const saved = messages.findLastIndex((message) => isAnswerOf(message, 'save_brief'));
  const transferred = messages.findLastIndex((message) => isAnswerOf(message, 'transfer_to_intake'));
  if (saved > transferred) return saved + 1;
  return Math.max(
    0,
    messages.slice(0, transferred).findLastIndex((message) => message.getType() === 'human'),
  );
}

function missingPoints({ role, skills, location, seniority }: Wishes): string[] {
  return [
    ...(role ? [] : ['Which role is it (for example backend engineer, product designer)?']),
    ...(skills ? [] : ['Which skills matter most?']),
    ...(location ? [] : ['Where should the person be, or is remote fine?']),
    ...(seniority ? [] : ['How senior: junior, mid, senior or lead?']),
  ];
}

function question({ role }: Wishes, missing: readonly string[]): OfflineReply {
  const start = role ? `A ${role}, good. Before I search:` : 'Happy to help you hire. Tell me a little more:';
  return { text: [start, ...missing.map((point) => `- ${point}`), 'Say "any" for what does not matter.'].join('\n') };
}

// ---- replies of the sourcing agent

function sourcing(messages: readonly BaseMessage[]): OfflineReply {
  const last = messages.at(-1);
  if (last && isAnswerOf(last, 'search_candidates')) return present(last.text);
  const wishes = briefOf(messages);
  const seen = foundSinceBrief(messages);
  if (!last || last.getType() !== 'human') return search(wishes, seen);
  const text = readText(last);
  if (isStartOver(text)) return transfer('intake', text);
  if (namedIn(text, messages) || /\b(contact|reach out|write|message|e-?mail|draft)\b/i.test(text)) {
    return namedIn(text, messages)
      ? transfer('outreach', text)
      : { text: 'Whom shall I contact? Give me a name from the list.' };
  }
  const refined = readWishes(text);
  if (Object.keys(refined).length > 0) return search(mergeWishes([wishes, refined]), []);
  if (ASKS_FOR_MORE.test(text)) return search(wishes, seen);
  return {
    text: 'I can search again with other wishes, contact somebody from the list ("contact NAME"), or start over with another position.',
  };
}

function search({ role, skills, location, seniority }: Wishes, seen: readonly FoundCandidate[]): OfflineReply {
  const args = {
    query: role ?? 'Engineer',
    limit: 4,
    ...(seen.length > 0 ? { exclude: [...new Set(seen.map(({ id }) => id))] } : {}),
    ...(skills?.length ? { skills } : {}),
    ...(location ? { location } : {}),
    ...(seniority ? { seniority } : {}),
  };
  return { text: '', toolCalls: [{ name: 'search_candidates', args }] };
}

function present(result: string): OfflineReply {
  const { candidates, relaxed } = JSON.parse(result) as { candidates: FoundCandidate[]; relaxed: string[] };
  if (candidates.length === 0)
    return { text: 'Nobody fits. Tell me which wish to drop, or describe the role in other words.' };
  const dropped = relaxed.length > 0 ? ` Nobody met your wish for ${relaxed.join(' and ')}, so I dropped it.` : '';
  const people = candidates.map(
    (found, at) => `${at + 1}. ${found.name}, ${found.title}, ${found.location}: ${found.reasons.join('; ')}.`,
  );
  const example = candidates[0]?.name.split(' ')[0] ?? 'NAME';
  return {
    text: [
      `I found ${candidates.length} who fit.${dropped}`,
      ...people,
      `Whom shall I contact? Say, for example, "contact ${example}".`,
    ].join('\n'),
  };
}

// ---- replies of the outreach agent

function outreach(messages: readonly BaseMessage[]): OfflineReply {
  const last = messages.at(-1);
  if (last && isAnswerOf(last, 'send_message')) return report(messages, last.text);
  const wish = readText(messages.findLast((message) => message.getType() === 'human'));
  if (isStartOver(wish)) return transfer('intake', wish);
  const named = namedIn(wish, messages);
  if (named) return draft(named, messages, '');
  if (ASKS_FOR_MORE.test(wish)) return transfer('sourcing', wish);
  const before = lastDrafted(messages);
  if (before && /\b(again|draft|rewrite|change|shorter|longer|mention|instead|try)\b/i.test(wish))
    return draft(before, messages, wish);
  return { text: 'Whom shall I write to? Give me a name from the list, or ask for more candidates.' };
}

function draft({ id, name, title }: FoundCandidate, messages: readonly BaseMessage[], wish: string): OfflineReply {
  const { role = title, skills = [] } = briefOf(messages);
  const known = findCandidate(id)?.skills.filter((skill) => skills.length === 0 || skills.includes(skill)) ?? [];
  const reason =
    known.length > 0
      ? `Your work with ${known.slice(0, 2).join(' and ')} caught our eye.`
      : 'Your experience caught our eye.';
  const note = wish ? `\n\n(${wish})` : '';
  const body = /\bshort/i.test(wish)
    ? `Hi ${name.split(' ')[0]}, may we talk about a ${role} position? ${reason}\n\nThe hiring team`
    : `Hi ${name.split(' ')[0]},\n\nwe are looking for a ${role}. ${reason} Would you have half an hour this week to hear more?${note}\n\nBest regards\nThe hiring team`;
  return {
    text: '',
    toolCalls: [{ name: 'send_message', args: { candidate_id: id, subject: `${role}: shall we talk?`, body } }],
  };
}

function report(messages: readonly BaseMessage[], result: string): OfflineReply {
  const feedback = /They said: (.+)$/s.exec(result)?.[1];
  const drafted = lastDrafted(messages);
  if (feedback && drafted) return draft(drafted, messages, feedback);
  if (result.startsWith('Sent')) return { text: `Done. ${result} Shall I contact somebody else?` };
  return {
    text: `I did not send it. ${result.replace(/^Not sent: /, '')} Tell me what to change, or whom to contact instead.`,
  };
}

// ---- functions that all replies use

function transfer(to: string, reason: string): OfflineReply {
  return { text: '', toolCalls: [{ name: `transfer_to_${to}`, args: { reason } }] };
}

function isStartOver(text: string): boolean {
  return /\b(start over|(new|another|different|other) (role|position|job|search)|also (need|hire|looking))\b/i.test(
    text,
  );
}

function isAnswerOf(message: BaseMessage, tool: string): boolean {
  return message.getType() === 'tool' && message.name === tool && (message as ToolMessage).status !== 'error';
}

function lastCall(messages: readonly BaseMessage[], name: string): Record<string, unknown> | undefined {
  const calls = messages.flatMap((message) => (message as AIMessage).tool_calls ?? []);
  return calls.findLast((call) => call.name === name)?.args;
}

function briefOf(messages: readonly BaseMessage[]): Wishes {
  const { query, exclude: _exclude, limit: _limit, ...searched } = lastCall(messages, 'search_candidates') ?? {};
  const brief = lastCall(messages, 'save_brief') ?? {};
  const searchedLater =
    messages.findLastIndex((message) => isAnswerOf(message, 'search_candidates')) >
    messages.findLastIndex((message) => isAnswerOf(message, 'save_brief'));
  return (searchedLater ? { ...brief, role: query, ...searched } : brief) as Wishes;
}

function foundIn(messages: readonly BaseMessage[]): FoundCandidate[] {
  const found = messages.filter((message) => isAnswerOf(message, 'search_candidates'));
  return found
    .reverse()
    .flatMap((message) => (JSON.parse(message.text) as { candidates: FoundCandidate[] }).candidates);
}

function foundSinceBrief(messages: readonly BaseMessage[]): FoundCandidate[] {
  return foundIn(messages.slice(messages.findLastIndex((message) => isAnswerOf(message, 'save_brief')) + 1));
}

function namedIn(text: string, messages: readonly BaseMessage[]): FoundCandidate | undefined {
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);
  return foundIn(messages).find(({ name }) =>
    name
      .toLowerCase()
      .split(' ')
      .some((part) => words.has(part)),
  );
}

function lastDrafted(messages: readonly BaseMessage[]): FoundCandidate | undefined {
  const id = lastCall(messages, 'send_message')?.candidate_id;
  return foundIn(messages).find((found) => found.id === id);
}
