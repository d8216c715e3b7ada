/**
 * Converts what a person typed to the value to resume with: JSON if the text is JSON, else the
 * text. For LangChain's human-in-the-loop middleware, the value has one decision for each action.
 */
export function parseAnswer(question: unknown, typed: string): unknown {
  const actions = (question as { actionRequests?: unknown[] } | null)?.actionRequests;
  const value = parseJsonOrText(typed);
  if (!Array.isArray(actions) || typeof value === 'object') return value;
  const decision = /^(approved?|yes|y|ok)[.!]?$/i.test(typed.trim())
    ? { type: 'approve' }
    : { type: 'reject', message: typed };
  return { decisions: actions.map(() => decision) };
}

function parseJsonOrText(typed: string): unknown {
  try {
    return JSON.parse(typed) as unknown;
  } catch {
    return typed;
  }
}
