import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { House } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';
import { makeProject, type ForeignProject, type ProjectParts } from './foreign-project.js';
import { followLines } from './line-script.js';
import { MODES, Normalizer, type Talk, type Transcript } from './transcript.js';

/** A project that runs on both sides: in a bare process, and on a worker and an API of its own. Both ask the same scripted model server. */
export class Sides {
  private constructor(
    readonly model: ModelServer,
    readonly project: ForeignProject,
    readonly client: Client,
    private readonly house: House,
  ) {}

  static async open(parts: Omit<ProjectParts, 'env'> & { env?: ProjectParts['env'] }): Promise<Sides> {
    const model = await ModelServer.start({ rules: [{ reply: followLines }] });
    const env = { OPENAI_API_KEY: 'none', OPENAI_BASE_URL: model.url, ...parts.env };
    const project = makeProject({ ...parts, env });
    const house = new House(project.config);
    const [, api] = await Promise.all([house.worker(), house.api()]);
    return new Sides(model, project, new Client({ apiUrl: api.url, apiKey: null }), house);
  }

  async close(): Promise<void> {
    await this.house.stop();
    await this.model.close();
    this.project.remove();
  }

  async both(talk: Talk): Promise<{ colloquy: Transcript; inProcess: Transcript }> {
    const [colloquy, inProcess] = await Promise.all([this.#colloquy(talk), this.#inProcess(talk)]);
    return { colloquy, inProcess };
  }

  async #colloquy({ graph, turns, subgraphs }: Talk): Promise<Transcript> {
    const normal = new Normalizer();
    const { thread_id: threadId } = await this.client.threads.create();
    const told: Transcript['turns'] = [];
    for (const { input, command } of turns) {
      const turn: Transcript['turns'][number] = { events: [] };
      told.push(turn);
      const stream = this.client.runs.stream(threadId, graph, {
        ...(command ? { command } : { input: input as Record<string, unknown> }),
        streamMode: [...MODES],
        streamSubgraphs: subgraphs,
      });
      for await (const { event, data } of stream as AsyncIterable<{ event: string; data: unknown }>) {
        if (event === 'metadata') continue;
        if (event === 'error') turn.error = (data as { message: string }).message;
        else turn.events.push(normal.event(event, data));
      }
    }
    const { values, next } = await this.client.threads.getState(threadId);
    return { turns: told, state: { values: normal.value(values), next } };
  }

  #inProcess(talk: Talk): Promise<Transcript> {
    const child = fork(resolve('dist/test/outside/in-process-main.js'), {
      cwd: this.project.folder,
      env: { ...process.env, NODE_OPTIONS: '' },
      silent: true,
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += String(chunk)));
    child.send({ config: this.project.config, talk });
    return new Promise((done, fail) => {
      child.once('message', ({ transcript, error }: { transcript?: Transcript; error?: string }) =>
        transcript ? done(transcript) : fail(new Error(error)),
      );
      child.once('exit', (code) => fail(new Error(`ended with ${code} without a transcript:\n${said}`)));
    });
  }
}
