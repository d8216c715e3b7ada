import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';
import { makeProject, type ForeignProject, type ProjectParts } from './foreign-project.js';
import { InProcess } from './in-process.js';
import { followLines } from './line-script.js';
import { callsOf } from './trace.js';
import { MODES, Normalizer, type Talk, type Transcript } from './transcript.js';

/**
 * The header `User-Agent` that Node's `fetch` sends to the API. The API puts it into
 * `configurable`, and LangGraph before version 1 copies it from there into the metadata of
 * messages. In-process runs have no such header, so they get this key in `configurable` too.
 */
const USER_AGENT = { 'user-agent': 'node' };

/** The shortest streamed answer of the model: one word, the reason of its end, and the usage. */
const FEWEST_PIECES = 3;

export interface SidesOptions extends Omit<ProjectParts, 'env'> {
  env?: ProjectParts['env'];
  /**
   * Values of `COLLOQUY_JOIN_QUICK_STEPS_MS`: which supersteps share an activity. The API process
   * that starts a conversation sets it, so there is one API process for each value. Default: one
   * API process with the default value.
   */
  joins?: readonly string[];
  /**
   * How long the model needs for an answer that is not streamed, in ms. It needs about as long for
   * the pieces of a streamed answer. This makes the nodes that call the model slow.
   */
  modelMs?: number;
}

/**
 * Runs a project on two sides: with LangGraph alone in one process, and with a worker and API
 * processes of Colloquy. Both sides use the same scripted model server.
 */
export class Sides {
  private constructor(
    readonly model: ModelServer,
    private readonly clients: ReadonlyMap<string, Client>,
    private readonly project: ForeignProject,
    private readonly traces: string,
    private readonly house: ServiceProcesses,
    private readonly inProcess: InProcess,
  ) {}

  static async open({ joins = [''], modelMs = 0, ...parts }: SidesOptions): Promise<Sides> {
    const reply: typeof followLines = (request) => ({
      ...followLines(request),
      delayMs: request.stream ? modelMs / FEWEST_PIECES : modelMs,
    });
    const model = await ModelServer.start({ rules: [{ reply }] });
    const traces = mkdtempSync(join(tmpdir(), 'colloquy-traces-'));
    const env = { OPENAI_API_KEY: 'none', OPENAI_BASE_URL: model.url, TRACES: traces, ...parts.env };
    const project = makeProject({ ...parts, env });
    // The processes get the variables that `settings` has when they start.
    const settings: Record<string, string> = {};
    const house = new ServiceProcesses(project.config, settings);
    const worker = house.worker();
    const apis = joins.map((join) => {
      if (join !== '') settings.COLLOQUY_JOIN_QUICK_STEPS_MS = join;
      return house.api();
    });
    const [inProcess, started] = await Promise.all([InProcess.start(project), Promise.all(apis), worker]);
    const clients = started.map(({ url }, at) => [joins[at] ?? '', new Client({ apiUrl: url, apiKey: null })] as const);
    return new Sides(model, new Map(clients), project, traces, house, inProcess);
  }

  async close(): Promise<void> {
    await this.inProcess.stop();
    await this.house.stop();
    await this.model.close();
    this.project.remove();
    rmSync(this.traces, { recursive: true, force: true });
  }

  /** Runs the talk on both sides, on Colloquy with the first value of {@link SidesOptions.joins}. */
  async both(talk: Talk): Promise<{ colloquy: Transcript; inProcess: Transcript }> {
    const { inProcess, colloquy } = await this.all(talk, [...this.clients].slice(0, 1));
    return { colloquy: Object.values(colloquy)[0] as Transcript, inProcess };
  }

  /** Runs the talk on both sides, on Colloquy with each value of {@link SidesOptions.joins}. */
  async all(
    talk: Talk,
    clients = [...this.clients],
  ): Promise<{ colloquy: Record<string, Transcript>; inProcess: Transcript }> {
    const configurable = { ...USER_AGENT, ...talk.configurable };
    const [inProcess, ...colloquy] = await Promise.all([
      this.inProcess.run({ ...talk, configurable }),
      ...clients.map(async ([join, client]) => [join, await this.#colloquy(client, talk)] as const),
    ]);
    return { colloquy: Object.fromEntries(colloquy), inProcess };
  }

  async #colloquy(client: Client, talk: Talk): Promise<Transcript> {
    const { graph, turns, subgraphs, configurable, modes = MODES } = talk;
    const normal = new Normalizer(talk);
    const { thread_id: threadId } = await client.threads.create();
    const told: Transcript['turns'] = [];
    for (const { input, command } of turns) {
      const turn: Transcript['turns'][number] = { events: [] };
      told.push(turn);
      const stream = client.runs.stream(threadId, graph, {
        ...(command ? { command } : { input: input as Record<string, unknown> }),
        ...(configurable && { config: { configurable } }),
        streamMode: [...modes],
        streamSubgraphs: subgraphs,
      });
      for await (const { event, data } of stream as AsyncIterable<{ event: string; data: unknown }>) {
        if (event === 'metadata') continue;
        if (event === 'error') turn.error = (data as { message: string }).message;
        else turn.events.push(normal.event(event, data));
      }
    }
    const { values, next } = await client.threads.getState(threadId);
    const calls = callsOf(this.traces, threadId);
    return { turns: told, state: { values: normal.value(values), next }, calls };
  }
}
