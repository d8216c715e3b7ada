/**
 * What a person typed, as the value to resume with: JSON where it is JSON, else the text. The approvals of LangChain's human-in-the-loop
 * middleware want a decision for each action.
 */
export function toAnswer(question: unknown, typed: string): unknown {
  const actions = (question as { actionRequests?: unknown[] } | null)?.actionRequests;
  const value = parse(typed);
  if (!Array.isArray(actions) || typeof value === 'object') return value;
  const decision = /^(approved?|yes|y|ok)[.!]?$/i.test(typed.trim())
    ? { type: 'approve' }
    : { type: 'reject', message: typed };
  return { decisions: actions.map(() => decision) };
}

function parse(typed: string): unknown {
  try {
    return JSON.parse(typed) as unknown;
  } catch {
    return typed;
  }
}
