import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Lines of input from a person or a pipe. */
export interface Lines {
  /**
   * Returns the next line, or undefined at the end of the input. If the line has not arrived yet,
   * shows the prompt (only on a terminal) and waits.
   */
  next(prompt: string): Promise<string | undefined>;
  close(): void;
}

export interface LinesOptions {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream;
  /** Called on Ctrl-C. */
  onInterrupt: () => void;
}

/**
 * Creates a reader of input lines. While an answer is being printed, the reader does not echo what
 * is typed, and keeps the lines for the next prompts.
 */
export function createLines({ input, output, onInterrupt }: LinesOptions): Lines {
  let isPrompting = false;
  const echo = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (isPrompting) output.write(chunk);
      done();
    },
  });
  const terminal = input.isTTY === true;
  const readline = createInterface({ input, output: echo, terminal });
  const queue: string[] = [];
  let closed = false;
  let deliver: ((line: string | undefined) => void) | undefined;
  const settle = (line: string | undefined) => {
    isPrompting = false;
    const resolve = deliver;
    deliver = undefined;
    resolve?.(line);
  };
  readline.on('line', (line) => {
    if (deliver === undefined) queue.push(line);
    else settle(line);
  });
  readline.on('close', () => {
    closed = true;
    settle(undefined);
  });
  readline.on('SIGINT', onInterrupt);
  return {
    next(prompt) {
      const queued = queue.shift();
      if (queued !== undefined || closed) return Promise.resolve(queued);
      isPrompting = true;
      readline.setPrompt(terminal ? prompt : '');
      readline.prompt(true);
      return new Promise((resolve) => (deliver = resolve));
    },
    close: () => {
      // Without the newline, later output would appear behind the prompt.
      if (isPrompting && terminal) output.write('\n');
      readline.close();
    },
  };
}
