import { setImmediate } from 'node:timers';
import { GraphDrained, RunControl } from '@langchain/langgraph';
import type { LoadedGraph } from '../agents/index.js';
import type { Gate } from './gate.js';
import { modesOf, needsEvents } from './graph-input.js';
import type { Chunk, Narrator } from './narrator.js';
import type { StepProgress } from './progress.js';
import type { StepRequest } from './ports.js';
import { Tap } from './tap.js';

interface PassOptions {
  graph: LoadedGraph;
  run: StepRequest['run'];
  /** Input of the graph. `null`: the graph continues from its newest checkpoint. */
  input: unknown;
  /** Config of the graph, with its saver and signal. */
  config: Record<string, unknown> & { configurable: Record<string, unknown> };
  gate: Gate;
  narrator: Narrator;
  progress: StepProgress;
}

/**
 * Maximum number of turns of the event loop that a pause waits for the chunks that the graph has
 * streamed before. A few are enough; the limit only prevents an endless wait.
 */
const MAX_TURNS = 1_000;

/**
 * One execution of a graph, from its start to its end. It may pause between two supersteps and stay
 * in memory. A turn needs a second pass only if the graph has to read its state again.
 */
export class Pass {
  readonly control = new RunControl();
  readonly narrator: Narrator;
  readonly progress: StepProgress;
  readonly #options: PassOptions;
  readonly #tap = new Tap();
  /** Items of the stream that wait for the next turn of the event loop. */
  #late: (() => void)[] | undefined;
  /** Items of the stream that wait until the gate opens, or undefined if items are not held. */
  #held: (() => void)[] | undefined;
  #isDiscarded = false;
  #ending: { error?: unknown } | undefined;
  readonly #ended: Promise<void>;

  constructor(options: PassOptions) {
    this.#options = options;
    this.narrator = options.narrator;
    this.progress = options.progress;
    this.#ended = this.#stream().then(
      () => this.#end({}),
      (error: unknown) => this.#end({ error }),
    );
  }

  /**
   * Waits until the graph ends or pauses. Returns `ended` or `paused`. Throws the error with which
   * the graph has ended.
   */
  async untilStopped(): Promise<'ended' | 'paused'> {
    await Promise.race([this.#ended, this.#options.gate.reached]);
    // All chunks that came before the pause must be handled, because they say which nodes are due.
    for (let turn = 0; turn < MAX_TURNS && this.#ending === undefined && this.#held === undefined; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (this.#ending === undefined) return 'paused';
    if ('error' in this.#ending) throw this.#ending.error;
    return 'ended';
  }

  /** Lets the paused graph start its next superstep. */
  resume(): void {
    this.#options.gate.open();
    this.#release();
  }

  /**
   * Ends the paused graph. Its nodes have not started. Drops what it has streamed since the pause,
   * because the next pass streams it again.
   */
  async discard(reason: string): Promise<void> {
    this.#isDiscarded = true;
    this.#options.gate.refuse(new GraphDrained(reason));
    await this.#ended;
  }

  async #stream(): Promise<void> {
    const { graph, run, input, config, narrator } = this.#options;
    const modes = modesOf(run);
    const options = {
      ...config,
      configurable: { ...config.configurable, __pregel_stream: this.#tap.stream(modes) },
      streamMode: modes,
      subgraphs: true as const,
      durability: 'sync' as const,
      control: this.control,
      ...(run.request.streamVersion === 'v3' && { version: 'v3' }),
    };
    if (needsEvents(run)) {
      type Event = Parameters<Narrator['event']>[0];
      const events = graph.streamEvents(input as never, { ...options, version: 'v2' } as never);
      for await (const event of events as unknown as AsyncIterable<Event>) {
        const isRootChunk = event.event === 'on_chain_stream' && event.run_id === run.runId;
        this.#handle(isRootChunk ? (event.data.chunk as Chunk) : undefined, () => narrator.event(event));
      }
    } else {
      const chunks = await graph.stream(input as never, options as never);
      for await (const chunk of chunks as unknown as AsyncIterable<Chunk>) {
        this.#handle(chunk, () => narrator.chunk(chunk));
      }
    }
  }

  /**
   * Handles an item of the stream. The result of a tool, and what follows it, is handled in the next
   * turn of the event loop, because LangGraph gives the result its id after it has streamed it.
   */
  #handle(chunk: Chunk | undefined, handle: () => boolean): void {
    const item = () => {
      if (handle()) this.#tap.delivered();
    };
    if (this.#late === undefined && chunk !== undefined && isToolResult(chunk)) {
      this.#late = [];
      setImmediate(() => this.#handleLate());
    }
    if (this.#late === undefined) this.#handleNow(chunk, item);
    else this.#late.push(() => this.#handleNow(chunk, item));
  }

  #handleLate(): void {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const item of late) item();
  }

  /**
   * Handles an item now, or later if the graph is paused. The start of a task belongs to the
   * superstep that is held, so it and all later items are held too.
   */
  #handleNow(chunk: Chunk | undefined, item: () => void): void {
    if (this.#held === undefined && chunk !== undefined && this.#isHeld(chunk)) this.#held = [];
    if (this.#held === undefined) item();
    else this.#held.push(item);
  }

  #isHeld([path, mode, payload]: Chunk): boolean {
    if (!this.#options.gate.isClosed((path ?? []).join('|'))) return false;
    if (mode === 'tasks') return !('result' in (payload as object)) && !('error' in (payload as object));
    return mode === 'debug' && (payload as { type?: unknown }).type === 'task';
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const item of held) item();
  }

  #end(ending: { error?: unknown }): void {
    this.#ending = ending;
    if (this.#isDiscarded) return;
    this.#handleLate();
    this.#release();
    // LangGraph may lose the last chunks of a stream that ends with an error.
    if ('error' in ending) for (const chunk of this.#tap.undelivered()) this.narrator.chunk(chunk);
  }
}

function isToolResult([, mode, payload]: Chunk): boolean {
  return mode === 'tools' && (payload as { event?: unknown }).event === 'on_tool_end';
}
