import { RunControl, START, isGraphDrained, type Command } from '@langchain/langgraph';
import { TENANT_KEY, type LoadedGraph } from '../agents/index.js';
import { STATELESS_METADATA, type NamespaceHead, type Run } from '../protocol/index.js';
import type { CommitInfo, Injection, StepSaver } from '../threads/index.js';
import { toCommand } from './command.js';
import { awaitsTools, isBetweenSupersteps, messageIds, takesMessages, updateOf } from './injection.js';
import { graphAt, hasNodeOptions, mergeOptions, nodeOptions } from './node-options.js';
import { Narrator, V3_MODES, type Chunk } from './narrator.js';
import { finalIfExhausted, watchRetries } from './own-retries.js';
import { StepProgress } from './progress.js';
import type { StepContext, StepReport, StepRequest } from './ports.js';

const DEFAULT_RECURSION_LIMIT = 25;
/**
 * Stream modes that every step requests from LangGraph, because {@link StepProgress} finds out from
 * them which nodes are running and due.
 */
const OWN_MODES = ['tasks', 'checkpoints', 'values'] as const;
/**
 * The modes that replace `OWN_MODES` if the run has `streamVersion: 'v3'`. Clients of such a run
 * get only an envelope of each checkpoint: its id, parent id, step and source. But
 * {@link StepProgress} needs the whole checkpoints. With the mode `debug`, LangGraph streams the
 * envelopes and the whole checkpoints. With the mode `checkpoints`, it would stream whole
 * checkpoints and no envelopes.
 */
const OWN_V3_MODES = ['tasks', 'debug', 'values'] as const;

/**
 * Executes one step of a run. The step ends when one of these happens: a superstep is committed and
 * the next one needs an activity of its own; the run is done; the run waits for a person. Errors:
 * those of nodes; `fence_lost` if another attempt has taken over the thread.
 */
export async function runStep(graph: LoadedGraph, request: StepRequest, context: StepContext): Promise<StepReport> {
  watchRetries(graph);
  const step = new Step(graph, request, context);
  for (;;) {
    const report = await step.pass();
    if (report !== undefined) return report;
  }
}

class Step {
  readonly #graph: LoadedGraph;
  readonly #request: StepRequest;
  readonly #context: StepContext;
  readonly #saver: StepSaver;
  readonly #planned: boolean;
  readonly #finished: string[] = [];
  readonly #injected: string[] = [];
  /** Chat messages that clients injected into the run and that are not in the state yet. */
  #waiting: Injection[];
  #control = new RunControl();
  #narrator: Narrator | undefined;
  #progress: StepProgress;
  #since = performance.now();
  /**
   * Whether the last superstep was quick, so that the next superstep may run in this activity too.
   */
  #wasQuick = true;
  #rootCommitted = false;

  constructor(graph: LoadedGraph, request: StepRequest, context: StepContext) {
    this.#graph = graph;
    this.#request = request;
    this.#context = context;
    this.#planned = hasNodeOptions(graph);
    this.#waiting = takesMessages(graph) ? (request.injections ?? []) : [];
    this.#progress = new StepProgress(graph, context);
    this.#saver = context.openSaver({
      beforeCommit: async () => {
        // LangGraph's stream passes events on in microtasks. `setImmediate` runs after these, so
        // all events of the superstep are in the log when it is flushed.
        await new Promise<void>((resolve) => setImmediate(resolve));
        return context.log.flush();
      },
      onCommit: (commit) => this.#onCommit(commit),
      hasEntry: (ns) => START in (graphAt(graph, ns)?.nodes ?? {}),
      onInput: () => {
        if (this.#planned || this.#waiting.length > 0) this.#control.requestDrain('plan');
      },
    });
  }

  /**
   * Runs the graph until it stops, and returns the report of the step. Returns undefined if the
   * step is not over: the graph has stopped between two supersteps, but may continue in this
   * activity. The next call of `pass` then continues the graph.
   */
  async pass(): Promise<StepReport | undefined> {
    this.#control = new RunControl();
    this.#progress = new StepProgress(this.#graph, this.#context);
    const begun = this.#ownHeads().length > 0;
    const isRewriting = this.#request.attempt > 1 && this.#finished.length === 0;
    const injections = begun ? await this.#dueInjections() : [];
    const continued = new Set(isRewriting || !begun ? [] : this.#ownHeads().map(([ns]) => ns));
    this.#narrator = new Narrator({
      runId: this.#request.run.runId,
      modes: this.#v3 ? V3_MODES : this.#request.run.request.streamModes,
      subgraphs: this.#v3 || this.#request.run.request.streamSubgraphs,
      v3: this.#v3,
      recursionLimit: this.#fullLimit(),
      progress: this.#progress,
      append: (event) => this.#context.log.append(event),
      storedValue: (value) => this.#saver.storedValue(value),
      continued,
      isRewriting,
      injected: new Set(messageIds(injections)),
      ...(this.#request.writtenMessageIds !== undefined && { writtenMessageIds: this.#request.writtenMessageIds }),
    });
    let drained = false;
    const tap = new Tap();
    try {
      await this.#stream(begun ? this.#goOn(injections) : inputOf(this.#request.run), begun, tap);
    } catch (error) {
      // Stores the results of the finished tasks, so that the next attempt runs only the failed
      // task.
      await this.#saver.flush().catch(() => undefined);
      for (const chunk of tap.undelivered()) this.#narrator.chunk(chunk);
      if (!isGraphDrained(error)) throw finalIfExhausted(this.#withFullLimit(error));
      drained = true;
    }
    await this.#saver.flush();
    this.#finished.push(...this.#progress.finished);
    if (!drained) return this.#end();
    if (!this.#mayGoOn()) return this.#report('continue');
    this.#saver.remember();
    return undefined;
  }

  /**
   * Returns the waiting injected messages if the state can take them now, between two supersteps.
   * Otherwise returns an empty list.
   */
  async #dueInjections(): Promise<Injection[]> {
    if (this.#waiting.length === 0 || !isBetweenSupersteps(this.#saver.head, this.#request.ordinal)) return [];
    const state = await this.#graph.getState(this.#config(true));
    // Injected messages must wait for the run's own input and for the results of open tool calls.
    return state.next.includes(START) || awaitsTools(state.values) ? [] : this.#waiting.splice(0);
  }

  /**
   * Returns the input with which the graph continues: null, or a command that adds the injected
   * messages to the state. LangGraph commits such a command as a new checkpoint. A task that
   * has begun before would then start again. This cannot happen here, because no attempt has begun
   * a task since the last superstep.
   */
  #goOn(injections: Injection[]): Command | null {
    if (injections.length === 0) return null;
    const runIds = injections.map(({ runId }) => runId);
    this.#saver.inject(runIds);
    this.#injected.push(...runIds);
    return updateOf(injections);
  }

  async #stream(input: unknown, begun: boolean, tap: Tap): Promise<void> {
    const { run } = this.#request;
    const { request } = run;
    const narrator = this.#narrator as Narrator;
    const modes = this.#v3
      ? [...new Set([...OWN_V3_MODES, ...libraryModes(V3_MODES).filter((mode) => mode !== 'checkpoints')])]
      : [...new Set([...OWN_MODES, ...libraryModes(request.streamModes)])];
    const config = this.#config(begun);
    const options = {
      ...config,
      configurable: { ...config.configurable, __pregel_stream: tap.stream(modes) },
      streamMode: modes,
      subgraphs: true as const,
      durability: 'sync' as const,
      control: this.#control,
      signal: this.#context.signal,
      ...(this.#v3 && { version: 'v3' }),
    };
    if (!this.#v3 && request.streamModes.some((mode) => mode === 'events' || mode === 'messages')) {
      const events = this.#graph.streamEvents(input as never, { ...options, version: 'v2' } as never);
      for await (const event of events as unknown as AsyncIterable<Parameters<Narrator['event']>[0]>) {
        if (narrator.event(event)) tap.delivered();
      }
    } else {
      const chunks = await this.#graph.stream(input as never, options as never);
      for await (const chunk of chunks as unknown as AsyncIterable<Chunk>) {
        if (narrator.chunk(chunk)) tap.delivered();
      }
    }
  }

  get #v3(): boolean {
    return this.#request.run.request.streamVersion === 'v3';
  }

  #config(begun: boolean) {
    const { run, attempt } = this.#request;
    const { config, context, checkpoint, interruptBefore, interruptAfter } = run.request;
    const from = begun ? undefined : checkpoint;
    return {
      ...(config.tags !== undefined && { tags: config.tags }),
      ...(context !== undefined && { context }),
      ...(interruptBefore !== undefined && { interruptBefore }),
      ...(interruptAfter !== undefined && { interruptAfter }),
      ...(this.#limitLeft() !== undefined && { recursionLimit: Math.max(1, this.#limitLeft() ?? 0) }),
      ...(this.#context.store !== undefined && { store: this.#context.store }),
      runId: run.runId,
      metadata: { ...withoutServerKeys(run.metadata), run_id: run.runId, run_attempt: attempt },
      configurable: {
        ...publicKeys(config.configurable),
        [TENANT_KEY]: run.tenant,
        thread_id: run.threadId,
        run_id: run.runId,
        graph_id: run.graphId,
        assistant_id: run.assistantId,
        checkpoint_ns: from?.checkpointNs ?? '',
        ...(from?.checkpointId !== undefined && { checkpoint_id: from.checkpointId }),
        ...(from?.checkpointMap !== undefined && { checkpoint_map: from.checkpointMap }),
        __pregel_checkpointer: this.#saver,
      },
    };
  }

  #onCommit({ ns }: CommitInfo): void {
    this.#narrator?.committed(ns);
    if (ns === '') this.#rootCommitted = true;
    const now = performance.now();
    this.#wasQuick = now - this.#since < this.#request.joinQuickStepsMs;
    this.#since = now;
    const wanted = this.#planned || !this.#wasQuick || this.#context.drain.aborted;
    const steered = this.#saver.isSteered || this.#waiting.length > 0;
    if ((wanted || steered) && this.#mayDrain(ns)) this.#control.requestDrain('step');
  }

  #mayDrain(ns: string): boolean {
    if (this.#limitLeft() !== undefined && (this.#limitLeft() ?? 0) < 1) return false;
    if (ns === '') return true;
    // When a subgraph resumes, LangGraph gives it a new run id. Clients would see this new id in
    // the events of mode `events`. So a run that records these events is not stopped inside a
    // subgraph. A run with `streamVersion: 'v3'` never records them.
    if (!this.#v3 && this.#request.run.request.streamModes.includes('events')) return false;
    // LangGraph passes an answer from the root graph to its subgraphs until the root commits. If
    // the graph stopped inside a subgraph before that commit, the subgraph's next question would
    // get the same answer.
    const answering = this.#request.run.request.command?.resume !== undefined && !this.#rootCommitted;
    return !answering && graphAt(this.#graph, ns) !== undefined && this.#progress.onlyGraphsBeside(ns);
  }

  /**
   * Returns how many supersteps the run may still execute under its recursion limit. Returns
   * undefined if the run sets no limit and has executed no superstep; then the graph's default
   * applies.
   */
  #limitLeft(): number | undefined {
    const root = this.#saver.head.heads[''];
    const used = root?.run === this.#request.ordinal ? root.step - root.base : 0;
    const asked = this.#request.run.request.config.recursion_limit;
    if (used === 0) return asked;
    return this.#fullLimit() - used;
  }

  #fullLimit(): number {
    const own = (this.#graph.config as { recursionLimit?: number } | undefined)?.recursionLimit;
    return this.#request.run.request.config.recursion_limit ?? own ?? DEFAULT_RECURSION_LIMIT;
  }

  #withFullLimit(error: unknown): unknown {
    const { name, message } = (error ?? {}) as { name?: string; message?: string };
    if (name !== 'GraphRecursionError' || message === undefined) return error;
    (error as { message: string }).message = message.replace(
      /limit of \d+ reached/,
      `limit of ${this.#fullLimit()} reached`,
    );
    return error;
  }

  #ownHeads(): [string, NamespaceHead][] {
    return Object.entries(this.#saver.head.heads).filter(([, head]) => head.run === this.#request.ordinal);
  }

  /**
   * Returns whether the graph may continue in this activity. Conditions:
   * - The worker is not shutting down.
   * - The due nodes need the same activity options (timeouts, attempts, task queue) as this
   *   activity.
   * - No node has finished in this step yet. Or the last superstep was quick, and no commit has
   *   shown that a client injected a message into this run.
   */
  #mayGoOn(): boolean {
    if (this.#context.drain.aborted) return false;
    if (!sameOptions(this.#nextOptions(), this.#request.options)) return false;
    if (this.#finished.length === 0) return true;
    return !this.#saver.isSteered && this.#wasQuick;
  }

  #nextOptions() {
    return mergeOptions(this.#progress.due.map(({ graph, node }) => ({ node, options: nodeOptions(graph, node) })));
  }

  #end(): StepReport {
    return this.#report(this.#progress.interrupted ? 'interrupted' : 'success');
  }

  #report(status: StepReport['status']): StepReport {
    this.#saver.remember();
    const due = this.#progress.due;
    const options = status === 'continue' ? this.#nextOptions() : undefined;
    return {
      status,
      nodes: this.#finished,
      next: status === 'success' ? [] : due.map(({ node }) => node),
      head: this.#saver.head,
      questions: this.#progress.questions,
      interrupts: this.#progress.interrupts,
      injected: this.#injected,
      ...(options !== undefined && { nextOptions: options }),
    };
  }
}

/**
 * Gets the stream chunks about the graph's progress (tasks, checkpoints, state) a second time,
 * directly from the graph. Keeps each of them until the stream has delivered it too. If the stream
 * ends with an error, as it does when the graph is stopped, LangGraph may lose the last chunks of
 * the stream. The step then takes these chunks from here.
 */
class Tap {
  readonly #chunks: Chunk[] = [];

  /**
   * Returns the value for `configurable.__pregel_stream`. LangGraph passes this value on to
   * subgraphs, so that their chunks also reach this tap.
   */
  stream(modes: string[]): { modes: Set<string>; push: (chunk: Chunk) => void } {
    return { modes: new Set(modes), push: (chunk) => this.#chunks.push(chunk) };
  }

  delivered(): void {
    this.#chunks.shift();
  }

  undelivered(): Chunk[] {
    return this.#chunks.splice(0);
  }
}

/**
 * Returns `configurable` without the keys that start with two underscores. These keys belong to the
 * platform and to LangGraph, so clients cannot set them.
 */
function publicKeys(configurable: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(configurable).filter(([key]) => !key.startsWith('__')));
}

/**
 * Returns the metadata of a run without the mark of stateless runs. A `RemoteGraph` sends metadata
 * to its server, and Colloquy's API refuses the mark.
 */
function withoutServerKeys(metadata: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !Object.hasOwn(STATELESS_METADATA, key)));
}

function libraryModes(modes: readonly string[]): string[] {
  return modes
    .filter((mode) => mode !== 'events')
    .map((mode) => (mode === 'messages-tuple' ? 'messages' : mode === 'messages' ? 'values' : mode));
}

function inputOf(run: Run): unknown {
  const { command, input } = run.request;
  return command === undefined ? (input ?? null) : toCommand(command);
}

function sameOptions(wanted: StepReport['nextOptions'], given: StepRequest['options']): boolean {
  if (wanted === undefined) return true;
  const normal = (options: object) => JSON.stringify(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
  return normal(wanted) === normal(given);
}
