/**
 * Converts typed text to the answer that resumes the run. If the text is JSON, the answer is the
 * JSON value. Otherwise it is the text itself.
 *
 * A question of LangChain's human-in-the-loop middleware asks about several actions. For such a
 * question, a JSON object, a JSON list or `null` still is the answer itself. A text such as `yes`
 * approves all actions. Everything else rejects all actions, also the JSON values `true` and `1`.
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
