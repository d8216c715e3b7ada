import { wantsColour } from '../../config/index.js';
import { printable } from '../printable.js';

export interface Screen {
  /** Part of an answer, as it comes. */
  text(part: string): void;
  /** Ends the answer being written, where there is one. */
  endText(): void;
  line(text: string): void;
  /** A remark beside the conversation. */
  dim(text: string): void;
  strong(text: string): void;
}

/** Removes control characters from everything it writes: any client of the API may have written the text. */
export function createScreen(output: NodeJS.WritableStream & { isTTY?: boolean }): Screen {
  const paint = wantsColour(output)
    ? (code: number, text: string) => `\u001b[${code}m${text}\u001b[0m`
    : (_: number, text: string) => text;
  let midLine = false;
  const endText = () => {
    if (midLine) output.write('\n');
    midLine = false;
  };
  const put = (text: string) => {
    endText();
    output.write(`${text}\n`);
  };
  return {
    text(raw) {
      const part = printable(raw);
      if (part === '') return;
      output.write(part);
      midLine = !part.endsWith('\n');
    },
    endText,
    line: (text) => put(printable(text)),
    dim: (text) => put(paint(2, printable(text))),
    strong: (text) => put(paint(1, printable(text))),
  };
}

const LONGEST_REMARK = 100;

/** `search_candidates { "skills": ["Go"] }` in one line. */
export function formatToolCall(name: string, args: unknown): string {
  const text = typeof args === 'string' ? args : JSON.stringify(args ?? {});
  return shorten(`· ${name} ${text === '{}' ? '' : text}`, LONGEST_REMARK);
}

export function shorten(text: string, longest: number): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  return oneLine.length <= longest ? oneLine : `${oneLine.slice(0, longest - 1)}…`;
}

/** Keys whose text is the question itself, and keys that are no reading for a person. */
const QUESTION_KEYS = ['question', 'message', 'prompt', 'description', 'text'];
const HIDDEN_KEYS = ['type', 'answers', 'actions'];

/**
 * What a graph asked by `interrupt(value)`, as lines: the question last, so that it stands above the answer. How to answer is told where the
 * last answer was not taken.
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
  const asked = typeof question?.[1] === 'string' ? question[1] : 'Your answer?';
  return [...rest.flatMap(([key, entry]) => formatField(key, entry, '  ')), `${asked}${choice}`];
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
