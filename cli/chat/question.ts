/**
 * Keys of an interrupt's value that may hold the question. The question is the first field of the
 * value that has one of these keys and contains a string. The order of the keys in this list has no
 * effect.
 */
const QUESTION_KEYS = ['question', 'message', 'prompt', 'description', 'text'];
/** Keys of an interrupt's value that are not printed as fields above the question. */
const HIDDEN_KEYS = ['type', 'answers', 'actions'];

/**
 * Formats the value of `interrupt(value)` as lines. The question is the last line, directly above
 * the prompt. The field `answers` is printed only if the value has a field `problem`: the graph has
 * then rejected the last answer.
 */
export function formatQuestion(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)];
  const fields = Object.entries(value as Record<string, unknown>);
  const question = fields.find(([key, text]) => QUESTION_KEYS.includes(key) && typeof text === 'string');
  const hidden = fields.some(([key]) => key === 'problem')
    ? HIDDEN_KEYS.filter((key) => key !== 'answers')
    : HIDDEN_KEYS;
  const rest = fields.filter(([key]) => key !== question?.[0] && !hidden.includes(key));
  const actions = fields.find(([key, list]) => key === 'actions' && Array.isArray(list))?.[1] as unknown[] | undefined;
  const choice = actions === undefined ? '' : ` [${actions.map(String).join(' / ')}]`;
  const text = typeof question?.[1] === 'string' ? question[1] : 'Your answer?';
  return [...rest.flatMap(([key, entry]) => formatField(key, entry, '  ')), `${text}${choice}`];
}

function formatField(key: string, value: unknown, indent: string): string[] {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object')
    return formatText(key, typeof value === 'string' ? value : JSON.stringify(value), indent);
  const inner = Array.isArray(value)
    ? value.map((entry, index) => [String(index + 1), entry] as const)
    : Object.entries(value);
  return [`${indent}${key}:`, ...inner.flatMap(([name, entry]) => formatField(name, entry, `${indent}  `))];
}

function formatText(key: string, text: string, indent: string): string[] {
  const lines = text.split('\n');
  if (lines.length === 1) return [`${indent}${key}: ${text}`];
  return [`${indent}${key}:`, ...lines.map((line) => `${indent}  ${line}`)];
}
