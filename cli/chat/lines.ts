import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Lines that a person types, or that a pipe brings. */
export interface Lines {
  /** Shows the prompt and waits; `undefined` when there will be no more. */
  next(prompt: string): Promise<string | undefined>;
  close(): void;
}

export interface LinesOptions {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream;
  /** Ctrl-C. */
  onInterrupt: () => void;
}

/** What is typed while an answer is being written is kept, and not echoed into it. */
export function createLines({ input, output, onInterrupt }: LinesOptions): Lines {
  let asking = false;
  const echo = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (asking) output.write(chunk);
      done();
    },
  });
  const terminal = input.isTTY === true;
  const readline = createInterface({ input, output: echo, terminal });
  const waiting: string[] = [];
  let closed = false;
  let deliver: ((line: string | undefined) => void) | undefined;
  const settle = (line: string | undefined) => {
    asking = false;
    const waiter = deliver;
    deliver = undefined;
    waiter?.(line);
  };
  readline.on('line', (line) => {
    if (deliver === undefined) waiting.push(line);
    else settle(line);
  });
  readline.on('close', () => {
    closed = true;
    settle(undefined);
  });
  readline.on('SIGINT', onInterrupt);
  return {
    next(prompt) {
      const ready = waiting.shift();
      if (ready !== undefined || closed) return Promise.resolve(ready);
      asking = true;
      readline.setPrompt(terminal ? prompt : '');
      readline.prompt(true);
      return new Promise((resolve) => (deliver = resolve));
    },
    close: () => {
      // What comes next must not stand behind the prompt.
      if (asking && terminal) output.write('\n');
      readline.close();
    },
  };
}
