import { wantsColour } from '../../config/index.js';
import { printable } from '../printable.js';

export interface Screen {
  /** Prints a part of the current answer, without ending the line. */
  text(part: string): void;
  /** Ends the line of the current answer, if an answer is being printed. */
  endText(): void;
  line(text: string): void;
  /** Prints a remark that is not part of the conversation. */
  dim(text: string): void;
  strong(text: string): void;
}

/**
 * Creates a screen that removes control characters, because any client of the API may have written
 * the text.
 */
export function createScreen(output: NodeJS.WritableStream & { isTTY?: boolean }): Screen {
  const paint = wantsColour(output)
    ? (code: number, text: string) => `\u001b[${code}m${text}\u001b[0m`
    : (_: number, text: string) => text;
  let isMidLine = false;
  const endText = () => {
    if (isMidLine) output.write('\n');
    isMidLine = false;
  };
  const writeLine = (text: string) => {
    endText();
    output.write(`${text}\n`);
  };
  return {
    text(raw) {
      const part = printable(raw);
      if (part === '') return;
      output.write(part);
      isMidLine = !part.endsWith('\n');
    },
    endText,
    line: (text) => writeLine(printable(text)),
    dim: (text) => writeLine(paint(2, printable(text))),
    strong: (text) => writeLine(paint(1, printable(text))),
  };
}

const LONGEST_TOOL_CALL = 100;

/**
 * Formats a tool call in one line of at most 100 characters: `· search_candidates
 * {"skills":["Go"]}`.
 */
export function formatToolCall(name: string, args: unknown): string {
  const text = typeof args === 'string' ? args : JSON.stringify(args ?? {});
  return shorten(`· ${name} ${text === '{}' ? '' : text}`, LONGEST_TOOL_CALL);
}

export function shorten(text: string, longest: number): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  return oneLine.length <= longest ? oneLine : `${oneLine.slice(0, longest - 1)}…`;
}
