import { fork, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { ForeignProject } from './foreign-project.js';
import type { Talk, Transcript } from './transcript.js';

/** A message to the child process. */
export interface TalkRequest {
  id: number;
  talk: Talk;
}

/** The answer of the child process: the transcript, or else the error of the test's own code. */
export interface TalkReply {
  id: number;
  transcript?: Transcript;
  error?: string;
}

/**
 * Runs the graphs of a project without Colloquy, in a child process that uses only LangGraph. The
 * program of the child process is `in-process-main.ts`.
 */
export class InProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Partial<TalkReply>) => void>();
  #last = 0;
  #said = '';

  private constructor({ folder, config }: ForeignProject) {
    this.#child = fork(resolve('dist/test/outside/in-process-main.js'), [config], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '' },
      silent: true,
    });
    const { stdout, stderr } = this.#child;
    for (const stream of [stdout, stderr]) stream?.on('data', (chunk: Buffer) => (this.#said += String(chunk)));
    this.#child.on('exit', (code) => {
      for (const answer of this.#waiting.values()) answer({ error: `ended with ${code}:\n${this.#said}` });
    });
    this.#child.on('message', ({ id = 0, ...reply }: Partial<TalkReply>) => this.#waiting.get(id)?.(reply));
  }

  static async start(project: ForeignProject): Promise<InProcess> {
    const process = new InProcess(project);
    const { error } = await process.#reply(0);
    if (error !== undefined) throw new Error(error);
    return process;
  }

  async run(talk: Talk): Promise<Transcript> {
    this.#last += 1;
    const answer = this.#reply(this.#last);
    this.#child.send({ id: this.#last, talk } satisfies TalkRequest);
    const { transcript, error } = await answer;
    if (transcript === undefined) throw new Error(error);
    return transcript;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((done) => this.#child.once('exit', done));
    if (this.#child.kill()) await gone;
  }

  /** Resolves with the child's reply of this number. The message that it is ready has number 0. */
  async #reply(id: number): Promise<Partial<TalkReply>> {
    const reply = await new Promise<Partial<TalkReply>>((done) => this.#waiting.set(id, done));
    this.#waiting.delete(id);
    return reply;
  }
}
