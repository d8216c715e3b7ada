/** Runs the `colloquy` command as a child process, so that tests can check its output. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { resolve } from 'node:path';

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  cwd?: string;
  env?: Record<string, string>;
  /**
   * If true, the command runs in a new process group, and signals go to the whole group, as from a
   * terminal.
   */
  group?: boolean;
  /** The program and its first arguments. Default: the `colloquy` command of this repository. */
  command?: [string, ...string[]];
}

const OWN: [string, ...string[]] = [process.execPath, resolve('bin/colloquy.mjs')];

/** The `colloquy` command as a running process. Stop it with `signal`. */
export class RunningCommand {
  readonly child: ChildProcessWithoutNullStreams;
  readonly finished: Promise<CommandResult>;
  stdout = '';
  stderr = '';
  readonly #group: boolean;
  readonly #watchers = new Set<() => void>();

  constructor(args: string[], { input, cwd, env, group = false, command = OWN }: RunOptions = {}) {
    this.#group = group;
    const [program, ...first] = command;
    this.child = spawn(program, [...first, ...args], {
      ...(cwd !== undefined && { cwd }),
      detached: group,
      env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', ...env },
    });
    this.child.stdout.on('data', (chunk: Buffer) => this.#note('stdout', chunk));
    this.child.stderr.on('data', (chunk: Buffer) => this.#note('stderr', chunk));
    this.finished = new Promise((done) => {
      this.child.once('close', (code) => {
        done({ code, stdout: this.stdout, stderr: this.stderr });
        this.#watchers.forEach((watcher) => watcher());
      });
    });
    if (input !== undefined) this.child.stdin.end(input);
  }

  #note(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this[stream] += chunk.toString('utf8');
    this.#watchers.forEach((watcher) => watcher());
  }

  /**
   * Waits until stdout matches the pattern, and returns the match. Rejects if the process ends
   * without a match.
   */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#waitForOutput('stdout', pattern);
  }

  /**
   * Waits until stderr matches the pattern, and returns the match. Rejects if the process ends
   * without a match.
   */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#waitForOutput('stderr', pattern);
  }

  async #waitForOutput(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended without printing ${String(pattern)}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((wake) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          wake();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (this.#group && pid !== undefined) process.kill(-pid, signal);
    else this.child.kill(signal);
  }
}

export function colloquy(args: string[], options: RunOptions = {}): Promise<CommandResult> {
  return new RunningCommand(args, { input: '', ...options }).finished;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
