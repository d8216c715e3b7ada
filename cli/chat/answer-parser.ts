/**
 * Converts the text that a person typed to the answer with which the run is resumed: the JSON value
 * if the text is JSON, else the text itself. A question of LangChain's human-in-the-loop middleware
 * asks about several actions. For such a question, a text such as `yes` approves all actions. Any
 * other text rejects them all, except a JSON object or list, which is the answer itself.
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
