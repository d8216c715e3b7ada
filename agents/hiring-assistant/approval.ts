import type { Candidate } from './candidates.js';
import type { Decision } from './state.js';

export interface MessageDraft {
  subject: string;
  body: string;
}

/** The value of the interrupt that asks a person whether a message may be sent. */
export interface ApprovalRequest {
  type: 'approval';
  question: string;
  candidate: { id: string; name: string; title: string; location: string };
  draft: MessageDraft;
  actions: ['approve', 'edit', 'reject'];
  /** Describes the possible answers in words, for clients that have no input form for them. */
  answers: string[];
  /** Why the person's last answer was not understood. Absent the first time. */
  problem?: string;
}

const ANSWERS = [
  '"approve"',
  '"reject", or any other text: not sent, and the text is taken as what to change',
  '"edit: the new text": sent with that body',
  '{ "action": "edit", "draft": { "subject": "…", "body": "…" } }: sent with the changes',
];

export function approvalRequest(candidate: Candidate, draft: MessageDraft, problem?: string): ApprovalRequest {
  const { id, name, title, location } = candidate;
  return {
    type: 'approval',
    question: `Send this message to ${name}?`,
    candidate: { id, name, title, location },
    draft,
    actions: ['approve', 'edit', 'reject'],
    answers: ANSWERS,
    ...(problem === undefined ? {} : { problem }),
  };
}

type Choice = Pick<Decision, 'action' | 'edited' | 'subject' | 'body' | 'reason'>;

/**
 * Reads a person's answer. A clear approval or an edit of the draft sends the message. A rejection
 * discards the draft. Any other text also discards it; the model gets this text as the reason, so
 * that it can write a better draft. If the answer cannot be read, returns a `problem`, and the
 * person is asked again.
 */
export function readAnswer(answer: unknown, draft: MessageDraft): Choice | { problem: string } {
  if (answer === true) return send(draft);
  if (answer === false) return discard(draft);
  if (typeof answer === 'string') return readText(answer, draft);
  if (typeof answer !== 'object' || answer === null)
    return { problem: `expected an action, found ${JSON.stringify(answer)}` };
  const { action, draft: edited, subject, body, reason } = answer as Record<string, unknown>;
  if (action === 'approve') return send(draft);
  if (action === 'reject') return discard(draft, typeof reason === 'string' ? reason : undefined);
  if (action === 'edit') return readEdit(edited ?? { subject, body }, draft);
  return { problem: `action: expected approve, edit or reject, found ${JSON.stringify(action) ?? 'nothing'}` };
}

function readText(answer: string, draft: MessageDraft): Choice | { problem: string } {
  const text = answer.trim();
  if (/^(approved?|yes|y|ok|okay|send( it)?)[.!]?$/i.test(text)) return send(draft);
  if (/^(reject(ed)?|no|n|don't send|do not send)[.!]?$/i.test(text)) return discard(draft);
  const edit = /^edit\s*:\s*(.+)$/is.exec(text);
  if (edit?.[1]) return readEdit({ body: edit[1] }, draft);
  if (text === '' || /^edit$/i.test(text))
    return { problem: `"${text}" does not say what to send; write "edit: the new text"` };
  return discard(draft, text);
}

function readEdit(edited: unknown, draft: MessageDraft): Choice | { problem: string } {
  const { subject, body } =
    typeof edited === 'string' ? { subject: undefined, body: edited } : ((edited ?? {}) as Record<string, unknown>);
  for (const [field, value] of Object.entries({ subject, body })) {
    if (value !== undefined && (typeof value !== 'string' || value.trim() === '')) {
      return { problem: `draft.${field}: expected text, found ${JSON.stringify(value)}` };
    }
  }
  if (subject === undefined && body === undefined)
    return { problem: 'draft: expected a subject or a body, found neither' };
  const changed = {
    subject: (subject as string | undefined) ?? draft.subject,
    body: (body as string | undefined) ?? draft.body,
  };
  return { ...send(changed), edited: true };
}

function send(draft: MessageDraft): Choice {
  return { action: 'send', edited: false, ...draft };
}

function discard(draft: MessageDraft, reason?: string): Choice {
  return { action: 'discard', edited: false, ...draft, ...(reason === undefined ? {} : { reason }) };
}
