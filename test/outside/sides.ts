import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';
import { makeProject, type ForeignProject, type ProjectParts } from './foreign-project.js';
import { InProcess } from './in-process.js';
import { followLines } from './line-script.js';
import { MODES, Normalizer, type Talk, type Transcript } from './transcript.js';

/**
 * The header `User-Agent` that Node's `fetch` sends to the API. The API puts it into
 * `configurable`, and LangGraph before version 1 copies it from there into the metadata of
 * messages. In-process runs have no such header, so they get this key in `configurable` too.
 */
const USER_AGENT = { 'user-agent': 'node' };

/**
 * Runs a project on two sides: with LangGraph alone in one process, and with a worker and an API
 * process of Colloquy. Both sides use the same scripted model server.
 */
export class Sides {
  private constructor(
    readonly model: ModelServer,
    readonly client: Client,
    private readonly project: ForeignProject,
    private readonly house: ServiceProcesses,
    private readonly inProcess: InProcess,
  ) {}

  static async open(parts: Omit<ProjectParts, 'env'> & { env?: ProjectParts['env'] }): Promise<Sides> {
    const model = await ModelServer.start({ rules: [{ reply: followLines }] });
    const env = { OPENAI_API_KEY: 'none', OPENAI_BASE_URL: model.url, ...parts.env };
    const project = makeProject({ ...parts, env });
    const house = new ServiceProcesses(project.config);
    const [, api, inProcess] = await Promise.all([house.worker(), house.api(), InProcess.start(project)]);
    return new Sides(model, new Client({ apiUrl: api.url, apiKey: null }), project, house, inProcess);
  }

  async close(): Promise<void> {
    await this.inProcess.stop();
    await this.house.stop();
    await this.model.close();
    this.project.remove();
  }

  async both(talk: Talk): Promise<{ colloquy: Transcript; inProcess: Transcript }> {
    const configurable = { ...USER_AGENT, ...talk.configurable };
    const [colloquy, inProcess] = await Promise.all([
      this.#colloquy(talk),
      this.inProcess.run({ ...talk, configurable }),
    ]);
    return { colloquy, inProcess };
  }

  async #colloquy(talk: Talk): Promise<Transcript> {
    const { graph, turns, subgraphs, configurable } = talk;
    const normal = new Normalizer(talk);
    const { thread_id: threadId } = await this.client.threads.create();
    const told: Transcript['turns'] = [];
    for (const { input, command } of turns) {
      const turn: Transcript['turns'][number] = { events: [] };
      told.push(turn);
      const stream = this.client.runs.stream(threadId, graph, {
        ...(command ? { command } : { input: input as Record<string, unknown> }),
        ...(configurable && { config: { configurable } }),
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
}
