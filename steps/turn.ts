import { setImmediate } from 'node:timers';
import { START, type Command } from '@langchain/langgraph';
import type { LoadedGraph } from '../agents/index.js';
import type { NamespaceHead } from '../protocol/index.js';
import type { CommitInfo, Injection, StepSaver } from '../threads/index.js';
import { Gate } from './gate.js';
import { configOf, inputOf, isV3 } from './graph-input.js';
import { awaitsTools, isBetweenSupersteps, messageIds, takesMessages, updateOf } from './injection.js';
import { Narrator, V3_MODES } from './narrator.js';
import { graphAt, hasNodeOptions, mergeOptions, nodeOptions } from './node-options.js';
import { NodeTimes } from './node-times.js';
import { finalIfExhausted } from './own-retries.js';
import { Pass } from './pass.js';
import { StepProgress } from './progress.js';
import { RecursionLimit } from './recursion-limit.js';
import { prepareLoops } from './run-loops.js';
import type { StepContext, StepReport, StepRequest } from './ports.js';
import { readField } from './thrown-value.js';
import { watchedGraph, withWatcher, type NodeWatcher } from './watched-graph.js';

/**
 * A run of a graph in this process. It executes one step after the other. Between two steps the
 * graph is paused in memory, so that the next step continues with values that no checkpoint has.
 */
export class Turn {
  readonly #graph: LoadedGraph;
  readonly #saver: StepSaver;
  readonly #planned: boolean;
  readonly #limit: RecursionLimit;
  readonly #nodes: NodeTimes;
  readonly #watcher: NodeWatcher;
  readonly #stop = new AbortController();
  #request: StepRequest;
  #context: StepContext;
  /** Nodes that have finished in the current step. */
  #finished: string[] = [];
  /** Injected messages that the current step has added to the state. */
  #injected: string[] = [];
  /** Injected messages that are not in the state yet. */
  #waiting: Injection[] = [];
  #gate = new Gate();
  #pass: Pass | undefined;
  #since = performance.now();
  /** Whether the last superstep was quick, so that the next superstep may run in this step too. */
  #wasQuick = true;
  #rootCommitted = false;
  #pausedIn: string | undefined;

  constructor(graph: LoadedGraph, request: StepRequest, context: StepContext) {
    prepareLoops(graph);
    this.#request = request;
    this.#context = context;
    this.#planned = hasNodeOptions(graph);
    this.#limit = new RecursionLimit(graph, request);
    this.#nodes = new NodeTimes((error) => this.#stop.abort(error));
    this.#stop.signal.addEventListener('abort', () => this.#nodes.abort(), { once: true });
    this.#watcher = {
      enter: (ns) => this.#gate.enter(ns),
      started: (inGraph, node) => this.#nodes.start(inGraph, node),
      codeStarted: () => this.#nodes.startCode(),
      toolStarted: () => this.#nodes.startTool(),
    };
    this.#graph = watchedGraph(graph, this.#watcher);
    this.#saver = context.openSaver({
      beforeCommit: async () => {
        // LangGraph's stream passes events on in microtasks. `setImmediate` runs after these, so
        // all events of the superstep are in the log when it is flushed.
        await new Promise<void>((resolve) => setImmediate(resolve));
        return this.#context.log.flush();
      },
      onCommit: (commit) => this.#onCommit(commit),
      hasEntry: (ns) => START in (graphAt(graph, ns)?.nodes ?? {}),
      onInput: () => this.#onInput(),
    });
  }

  /** Whether the graph is paused, so that {@link step} can continue it. */
  get isPaused(): boolean {
    return this.#pausedIn !== undefined;
  }

  /**
   * Executes one step of the run. The step ends when one of these happens: a superstep is committed
   * and the next one needs an activity of its own; the run is done; the run waits for a person.
   * Errors: those of nodes; `fence_lost` if another attempt has taken over the thread. After an
   * error the turn cannot be continued.
   */
  async step(request: StepRequest, context: StepContext): Promise<StepReport> {
    this.#request = request;
    this.#context = context;
    this.#finished = [];
    this.#injected = [];
    this.#waiting = takesMessages(this.#graph) ? [...(request.injections ?? [])] : [];
    this.#since = performance.now();
    const abort = () => this.#stop.abort(context.signal.reason);
    context.signal.addEventListener('abort', abort, { once: true });
    if (context.signal.aborted) abort();
    try {
      if (this.#pausedIn !== undefined) await this.#unpause();
      for (;;) {
        const report = await this.#advance();
        if (report !== undefined) return report;
      }
    } finally {
      context.signal.removeEventListener('abort', abort);
    }
  }

  /** Ends a paused graph. Its state is that of the last checkpoint. */
  async abandon(): Promise<void> {
    if (this.#pausedIn === undefined) return;
    await this.#stopPass('abandoned');
    this.#stop.abort(new DOMException('the run continues elsewhere', 'AbortError'));
  }

  /**
   * Resolves to true when all nodes of the run have returned, or to false after `graceMs`.
   * LangGraph does not wait for the nodes of a run that was aborted.
   */
  hasStopped(graceMs: number): Promise<boolean> {
    return this.#nodes.allReturned(graceMs);
  }

  /** The error of a node that took longer than the limit in its metadata. */
  get timeout(): Error | undefined {
    return this.#nodes.timeout;
  }

  async #unpause(): Promise<void> {
    this.#saver.advance(this.#context.fence);
    // Injected messages become an update of the root graph, and LangGraph takes an update only at
    // the start of a pass.
    if (this.#pausedIn === '' && this.#waiting.length > 0) return this.#stopPass('injection');
    this.#pausedIn = undefined;
    this.#pass?.resume();
  }

  /**
   * Lets the graph run until it pauses or ends. Returns the report of the step, or undefined if the
   * step is not over.
   */
  async #advance(): Promise<StepReport | undefined> {
    const pass = this.#pass ?? (await this.#begin());
    let isDrained = false;
    try {
      if ((await pass.untilStopped()) === 'paused') return await this.#pause(pass);
    } catch (error) {
      this.#pass = undefined;
      // Stores the results of the finished tasks, so that the next attempt runs only the others.
      await this.#saver.flush().catch(() => undefined);
      isDrained = pass.control.drainRequested && readField(error, 'name') === 'GraphDrained';
      if (!isDrained) throw finalIfExhausted(this.#limit.describe(error));
    }
    this.#pass = undefined;
    await this.#saver.flush();
    this.#finished.push(...pass.progress.takeFinished());
    this.#saver.remember();
    if (!isDrained) return this.#report(pass, pass.progress.interrupted ? 'interrupted' : 'success');
    return this.#mayGoOn(pass) ? undefined : this.#report(pass, 'continue');
  }

  /** Starts the graph: with the run's input, or from its newest checkpoint. */
  async #begin(): Promise<Pass> {
    const { run } = this.#request;
    const begun = this.#ownHeads().length > 0;
    const injections = begun ? await this.#dueInjections() : [];
    const progress = new StepProgress(this.#graph, this.#context);
    this.#gate = new Gate();
    const narrator = this.#narratorOf(begun, injections, progress);
    const input = begun ? this.#updateBy(injections) : inputOf(run);
    // Set at once, because the graph may commit before the caller goes on.
    this.#pass = withWatcher(
      this.#watcher,
      () =>
        new Pass({
          graph: this.#graph,
          run,
          input,
          config: this.#config(begun),
          gate: this.#gate,
          progress,
          narrator,
        }),
    );
    return this.#pass;
  }

  #narratorOf(begun: boolean, injections: Injection[], progress: StepProgress): Narrator {
    const { run, attempt, writtenMessageIds } = this.#request;
    const isRewriting = attempt > 1 && this.#finished.length === 0;
    return new Narrator({
      runId: run.runId,
      modes: isV3(run) ? V3_MODES : run.request.streamModes,
      subgraphs: isV3(run) || run.request.streamSubgraphs,
      v3: isV3(run),
      recursionLimit: this.#limit.full,
      progress,
      append: (event) => this.#context.log.append(event),
      storedValue: (value) => this.#saver.storedValue(value),
      continued: new Set(isRewriting || !begun ? [] : this.#ownHeads().map(([ns]) => ns)),
      isRewriting,
      injected: new Set(messageIds(injections)),
      ...(writtenMessageIds !== undefined && { writtenMessageIds }),
    });
  }

  /**
   * Handles a pause of the graph: ends the step, or lets the graph continue if its next nodes may
   * run in this step too.
   */
  async #pause(pass: Pass): Promise<StepReport | undefined> {
    await this.#saver.flush();
    this.#finished.push(...pass.progress.takeFinished());
    if (this.#mayGoOn(pass)) {
      pass.resume();
      return undefined;
    }
    const report = this.#report(pass, 'continue');
    this.#pausedIn = this.#gate.closedFor ?? '';
    // The nodes of another task queue run in another worker, which reads the state.
    if (report.nextOptions !== undefined && report.nextOptions.taskQueue !== this.#request.options.taskQueue)
      await this.abandon();
    return report;
  }

  /** Ends the paused pass. Its nodes have not started, so nothing is lost. */
  async #stopPass(reason: string): Promise<void> {
    const pass = this.#pass;
    this.#pass = undefined;
    this.#pausedIn = undefined;
    // Older versions of LangGraph would store the refusal as the error of a task.
    this.#saver.isIgnoring = true;
    await pass?.discard(reason);
    this.#saver.isIgnoring = false;
    this.#saver.remember();
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
  #updateBy(injections: Injection[]): Command | null {
    if (injections.length === 0) return null;
    const runIds = injections.map(({ runId }) => runId);
    this.#saver.inject(runIds);
    this.#injected.push(...runIds);
    return updateOf(injections);
  }

  #config(begun: boolean) {
    const config = configOf(this.#request, begun);
    const limit = this.#limit.left(this.#saver.head);
    return {
      ...config,
      ...(limit !== undefined && { recursionLimit: Math.max(1, limit) }),
      ...(this.#context.store !== undefined && { store: this.#context.store }),
      signal: this.#stop.signal,
      configurable: { ...config.configurable, __pregel_checkpointer: this.#saver },
    };
  }

  #onInput(): void {
    if (this.#waiting.length > 0) this.#pass?.control.requestDrain('injection');
    else if (this.#planned) this.#gate.close('');
  }

  #onCommit({ ns }: CommitInfo): void {
    const pass = this.#pass;
    pass?.narrator.committed(ns);
    if (ns === '') this.#rootCommitted = true;
    const now = performance.now();
    this.#wasQuick = now - this.#since < this.#request.joinQuickStepsMs;
    this.#since = now;
    // A superstep whose nodes did not have to run, because their results were cached, has not
    // reached the gate.
    pass?.resume();
    if (this.#context.drain.aborted || this.#saver.isSteered || this.#waiting.length > 0) {
      if (this.#mayDrain(ns)) pass?.control.requestDrain('step');
    } else if ((this.#planned || !this.#wasQuick) && this.#mayPause(ns)) {
      this.#gate.close(ns);
    }
  }

  /**
   * The graph may pause where it may also be restarted from its checkpoint, because its process may
   * end during the pause. Beside a subgraph that pauses, no other node may run, because that node
   * would go on.
   */
  #mayPause(ns: string): boolean {
    return this.#isRestartable(ns) && (this.#pass?.progress.isAlone(ns) ?? false);
  }

  #mayDrain(ns: string): boolean {
    return this.#isRestartable(ns) && (ns === '' || (this.#pass?.progress.onlyGraphsBeside(ns) ?? false));
  }

  #isRestartable(ns: string): boolean {
    if (this.#limit.isReached(this.#saver.head)) return false;
    if (ns === '') return true;
    const { run } = this.#request;
    // When a subgraph restarts, LangGraph gives it a new run id. Clients would see this new id in
    // the events of mode `events`. So a run that records these events is not stopped inside a
    // subgraph. A run with `streamVersion: 'v3'` never records them.
    if (!isV3(run) && run.request.streamModes.includes('events')) return false;
    // LangGraph passes an answer from the root graph to its subgraphs until the root commits. If
    // the graph stopped inside a subgraph before that commit, the subgraph's next question would
    // get the same answer.
    const answering = run.request.command?.resume !== undefined && !this.#rootCommitted;
    return !answering && graphAt(this.#graph, ns) !== undefined;
  }

  #ownHeads(): [string, NamespaceHead][] {
    return Object.entries(this.#saver.head.heads).filter(([, head]) => head.run === this.#request.ordinal);
  }

  /**
   * Returns whether the graph may continue in this step. Conditions:
   * - The worker is not shutting down.
   * - The due nodes need the same activity options (attempts, task queue) as this activity.
   * - No node has finished in this step yet. Or the last superstep was quick, and no commit has
   *   shown that a client injected a message into this run.
   */
  #mayGoOn(pass: Pass): boolean {
    if (this.#context.drain.aborted) return false;
    if (!sameOptions(this.#nextOptions(pass), this.#request.options)) return false;
    if (this.#finished.length === 0) return true;
    return !this.#saver.isSteered && this.#wasQuick;
  }

  #nextOptions({ progress }: Pass) {
    return mergeOptions(progress.due.map(({ graph, node }) => ({ node, options: nodeOptions(graph, node) })));
  }

  #report(pass: Pass, status: StepReport['status']): StepReport {
    const { progress } = pass;
    const options = status === 'continue' ? this.#nextOptions(pass) : undefined;
    return {
      status,
      nodes: this.#finished,
      next: status === 'success' ? [] : progress.due.map(({ node }) => node),
      head: this.#saver.head,
      questions: progress.questions,
      interrupts: progress.interrupts,
      injected: this.#injected,
      ...(options !== undefined && { nextOptions: options }),
    };
  }
}

function sameOptions(wanted: StepReport['nextOptions'], given: StepRequest['options']): boolean {
  if (wanted === undefined) return true;
  const normal = (options: object) => JSON.stringify(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
  return normal(wanted) === normal(given);
}
