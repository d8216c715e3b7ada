import { fork, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { ForeignProject } from './foreign-project.js';
import type { Talk, Transcript } from './transcript.js';

/**
 * Runs the graphs of a project without Colloquy, in a child process that uses only LangGraph. The
 * program of the child process is `in-process-main.ts`. It runs one {@link Talk} at a time.
 */
export class InProcess {
  readonly #child: ChildProcess;
  #said = '';

  private constructor({ folder, config }: ForeignProject) {
    this.#child = fork(resolve('dist/test/outside/in-process-main.js'), [config], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '' },
      silent: true,
    });
    const { stdout, stderr } = this.#child;
    for (const stream of [stdout, stderr]) stream?.on('data', (chunk: Buffer) => (this.#said += String(chunk)));
  }

  static async start(project: ForeignProject): Promise<InProcess> {
    const process = new InProcess(project);
    await process.#answer();
    return process;
  }

  async run(talk: Talk): Promise<Transcript> {
    const answer = this.#answer();
    this.#child.send(talk);
    const { transcript, error } = await answer;
    if (transcript === undefined) throw new Error(error);
    return transcript;
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.#child.once('exit', done));
    if (this.#child.kill()) await gone;
  }

  #answer(): Promise<{ transcript?: Transcript; error?: string }> {
    return new Promise((done, fail) => {
      const ended = (code: number | null) => fail(new Error(`ended with ${code}:\n${this.#said}`));
      this.#child.once('exit', ended);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended);
        done(answer as { transcript?: Transcript; error?: string });
      });
    });
  }
}
