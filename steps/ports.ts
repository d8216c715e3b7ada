import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type {
  Caller,
  CheckpointRef,
  Fence,
  Head,
  Interrupt,
  InterruptsByTask,
  PendingInterrupt,
  Run,
  RunCommand,
  StepOptions,
} from '../protocol/index.js';
import type { AgentProject, FactoryConfig } from '../agents/index.js';
import type { RunLog } from '../streams/index.js';
import type { Injection, SaverHooks, StepSaver } from '../threads/index.js';

/** A thread's state at a checkpoint, as LangGraph's clients read it (JSON). */
export interface ThreadState {
  values: unknown;
  next: string[];
  tasks: ThreadTask[];
  metadata: Record<string, unknown> | null;
  created_at: string | null;
  checkpoint: WireCheckpoint | null;
  parent_checkpoint: WireCheckpoint | null;
  /** The interrupts of all `tasks` in one list. */
  interrupts: Interrupt[];
}

export interface ThreadTask {
  id: string;
  name: string;
  path: unknown[];
  error: string | null;
  interrupts: Interrupt[];
  checkpoint: Record<string, unknown> | null;
  state: ThreadState | null;
  result: unknown;
}

export interface WireCheckpoint {
  thread_id: string;
  checkpoint_id: string | null;
  checkpoint_ns: string;
  checkpoint_map: Record<string, string> | null;
}

/** One edit of a thread's state: values, or a command, as if node `asNode` had returned them. */
export interface StateUpdate {
  values?: unknown;
  command?: RunCommand;
  asNode: string;
}

/** Reads and edits the state of threads, from outside of any run. All results are plain JSON. */
export interface StateAccess {
  /**
   * Returns the thread's newest state, or its state at `options.checkpoint`. A thread that has no
   * graph yet (`graphId` is undefined) has empty values. Errors: `not_found` for an unknown
   * checkpoint.
   */
  getState(
    caller: Caller,
    graphId: string | undefined,
    threadId: string,
    options?: { checkpoint?: CheckpointRef; subgraphs?: boolean },
  ): Promise<ThreadState>;
  /**
   * Returns whether the thread has this checkpoint. Reads one index entry and no state. Without
   * `checkpointNs`, the checkpoint is one of the root graph.
   */
  hasCheckpoint(
    caller: Caller,
    threadId: string,
    checkpoint: { checkpointId: string; checkpointNs?: string },
  ): Promise<boolean>;
  /** Returns the states at the thread's checkpoints, newest first. */
  getHistory(
    caller: Caller,
    graphId: string | undefined,
    threadId: string,
    options: { limit: number; before?: CheckpointRef; metadata?: Record<string, unknown>; checkpoint?: CheckpointRef },
  ): Promise<ThreadState[]>;
  /**
   * Writes values to the thread's state as if node `asNode` had returned them. Errors: `conflict`
   * if a run commits a checkpoint of the thread during the call.
   */
  updateState(
    caller: Caller,
    graphId: string,
    threadId: string,
    update: { values: unknown; asNode?: string; checkpoint?: CheckpointRef },
  ): Promise<{ checkpoint: WireCheckpoint }>;
  /**
   * Writes several supersteps to the thread's state, in order. Each superstep is a list of updates,
   * one for each of its nodes. Errors: `invalid_argument` if the graph refuses an update (the
   * supersteps before this update stay written); `conflict` if a run commits a checkpoint of the
   * thread during the call.
   */
  updateStates(
    caller: Caller,
    graphId: string,
    threadId: string,
    supersteps: StateUpdate[][],
  ): Promise<{ checkpoint: WireCheckpoint }>;
  /**
   * Returns the output values of an ended run, as `invoke` returns them. If the run ended with the
   * status `interrupted`, they contain the open questions, if any, as `__interrupt__`.
   */
  finalValues(caller: Caller, run: Run): Promise<unknown>;
}

export type JsonSchema = Record<string, unknown>;

/**
 * JSON schemas of a graph. A schema is null if the graph does not reveal it. For example, a graph
 * in JavaScript that does not use zod has no types to read.
 */
export interface GraphSchemas {
  state: JsonSchema | null;
  input: JsonSchema | null;
  output: JsonSchema | null;
  config: JsonSchema | null;
}

/**
 * Nodes and edges of a graph as LangGraph draws them, in the JSON format of LangGraph's clients.
 */
export interface GraphDrawing {
  nodes: Record<string, unknown>[];
  edges: Record<string, unknown>[];
}

/**
 * Describes graphs for clients. If a project exports a factory (a function that makes the graph),
 * the factory is called with the given config, because the config may decide which nodes the graph
 * has. Errors: `not_found` for an unknown graph; `graph_failed` if a factory throws.
 */
export interface GraphDescriptions {
  /**
   * Returns the drawing of a graph. `xray: true` also draws the nodes inside subgraphs of all
   * levels. A number as `xray` limits the levels.
   */
  draw(caller: Caller, graphId: string, config: FactoryConfig, xray: boolean | number): Promise<GraphDrawing>;
  schemas(caller: Caller, graphId: string, config: FactoryConfig): Promise<GraphSchemas>;
  /**
   * Returns whether clients can inject chat messages into a run of the graph. They can if the
   * graph's state has a channel `messages` that adds new messages to its list.
   */
  takesMessages(caller: Caller, graphId: string, config: FactoryConfig): Promise<boolean>;
  /**
   * Returns the schemas of the graph's subgraphs. Each key is a subgraph's namespace, which is the
   * path of node names to it, such as `parent|child`. With `namespace`, returns only that subgraph.
   * With `recurse`, also returns the subgraphs inside the returned ones.
   */
  subgraphs(
    caller: Caller,
    graphId: string,
    config: FactoryConfig,
    options: { namespace?: string; recurse: boolean },
  ): Promise<Record<string, GraphSchemas>>;
}

/**
 * A request to execute one step of a run. A step is one activity: one superstep, or several quick
 * ones.
 */
export interface StepRequest {
  run: Run;
  /**
   * Ordinal of the run in its thread, which is the first part of the fence. Later runs of the
   * thread have higher ordinals, but the ordinals may start high and have gaps.
   */
  ordinal: number;
  attempt: number;
  /**
   * If a superstep took less than this number of ms, the next superstep runs in the same activity.
   * 0: the step ends after each superstep.
   */
  joinQuickStepsMs: number;
  /** Activity options of this step. The step ends before nodes that need other options. */
  options: StepOptions;
  /**
   * Ids of the run's chat messages that the event log already contains. Messages in superseded
   * events do not count. Absent in the first attempt of a step.
   */
  writtenMessageIds?: ReadonlySet<string>;
  /**
   * Chat messages that clients injected into the run, in order. They are added to the state between
   * two supersteps, but not before the run's input and not before the results of open tool calls.
   */
  injections?: Injection[];
}

/** The part of a project that loads graphs by their id. */
export type GraphSource = Pick<AgentProject, 'load'>;

export interface StepContext {
  /**
   * Opens the checkpoint saver of this step. It is bound to the thread, the run and the fence of
   * the attempt, so it commits nothing after a later attempt has taken over.
   */
  openSaver: (hooks: SaverHooks) => StepSaver;
  /** Fence of this attempt. A saver that was opened in an earlier step continues with it. */
  fence: Fence;
  log: RunLog;
  /** When this signal fires, the graph and its model call stop at once. */
  signal: AbortSignal;
  /** When this signal fires, the graph stops after the current superstep. */
  drain: AbortSignal;
  store?: BaseStore;
  /**
   * Whether the `questions` of the {@link StepReport} contain previews and default answers. Both
   * are content of the conversation. With this option they become part of the workflow history,
   * because the history contains the `questions`.
   */
  showsQuestions?: boolean;
}

export interface StepReport {
  /** `continue`: another step is due. `interrupted`: the run waits for a person. */
  status: 'continue' | 'success' | 'interrupted';
  /**
   * Names of the nodes that finished in this step, in order. If a node ran tools, their names
   * follow: `tools (search_candidates)`.
   */
  nodes: string[];
  /** Names of the nodes that are due after this step. Empty if the run is done. */
  next: string[];
  /** Activity options that the next step needs. Absent: the next step can have any options. */
  nextOptions?: StepOptions;
  questions: PendingInterrupt[];
  interrupts: InterruptsByTask;
  /** Ids of the injections whose chat messages this step added to the state. */
  injected: string[];
  /** Head of the thread after the step: its newest checkpoints, revision and fence. */
  head: Head;
}
