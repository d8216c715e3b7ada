import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { logTail, openLog } from '../../servers/log-file.js';
import { packageRoot } from '../../cli/index.js';
import type { Victim } from './faults.js';

export interface HouseProcessOptions {
  name: string;
  /** Command line arguments of the program `colloquy`. */
  args: string[];
  env: Record<string, string>;
  logFile: string;
  /** Called if the process exits by itself after it was ready. */
  onCrash: (detail: string) => void;
}

const RESTART_MS = 500;
const STOP_GRACE_MS = 10_000;

/**
 * A worker or API process. If the process exits by itself, it is restarted, as a production
 * supervisor would do. Exception: if it exits during `start`, before it is ready, `start` rejects.
 * After `kill`, only `revive` starts the process again.
 */
export class ChaosProcess implements Victim {
  readonly name: string;
  readonly #options: HouseProcessOptions;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  /**
   * True from `kill` until the next start. The exit after `kill` does not count as a crash, and the
   * process starts again only when `revive` is called.
   */
  #expected = false;
  #stopped = false;
  #frozen = false;
  #timer: NodeJS.Timeout | undefined;
  starts = 0;

  constructor(options: HouseProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get logFile(): string {
    return this.#options.logFile;
  }

  /** Starts the process. Resolves when it is ready. */
  start(): Promise<void> {
    return new Promise((ready, failed) => {
      this.#launch(ready, (detail) => failed(new Error(detail)));
    });
  }

  async kill(): Promise<void> {
    this.#expected = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
    await this.#gone;
  }

  revive(): Promise<void> {
    if (!this.#stopped) this.#launch();
    return Promise.resolve();
  }

  freeze(): void {
    this.#frozen = true;
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#frozen = false;
    this.#child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#frozen) this.thaw();
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#gone;
    clearTimeout(timer);
  }

  #launch(onReady?: () => void, onFailed?: (detail: string) => void): void {
    const { args, env, logFile, name, onCrash } = this.#options;
    const log = openLog(logFile);
    const child = spawn(
      process.execPath,
      ['--enable-source-maps', join(packageRoot(), 'bin', 'colloquy.mjs'), ...args],
      {
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
        env: { ...process.env, NODE_OPTIONS: '', ...env },
      },
    );
    closeSync(log);
    this.#child = child;
    this.#expected = false;
    this.starts += 1;
    let wasReady = false;
    child.once('message', () => {
      wasReady = true;
      onReady?.();
    });
    this.#gone = new Promise((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', (code, signal) => {
        resolve();
        if (this.#expected || this.#stopped) return;
        const detail = `${name} ended by itself (${signal ?? `exit code ${code}`}); ${logTail(logFile)}`;
        if (wasReady) onCrash(detail);
        // A required server was down during the start. The next start may succeed.
        else if (onFailed !== undefined) return onFailed(detail);
        this.#timer = setTimeout(() => this.#launch(), RESTART_MS);
      });
    });
  }
}
