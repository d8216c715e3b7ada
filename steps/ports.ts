import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type {
  Caller,
  CheckpointRef,
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
  /** All open interrupts of the tasks. */
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

/** Values or a command that are written as if one node had returned them. */
export interface StateUpdate {
  values?: unknown;
  command?: RunCommand;
  asNode: string;
}

/** Reads and edits the state of idle threads. Every answer is plain JSON. */
export interface StateAccess {
  /**
   * Returns the state at the head or at a checkpoint. A thread that never ran has empty values.
   * Errors: `not_found` for an unknown checkpoint.
   */
  getState(
    caller: Caller,
    graphId: string | undefined,
    threadId: string,
    options?: { checkpoint?: CheckpointRef; subgraphs?: boolean },
  ): Promise<ThreadState>;
  /**
   * Returns whether a thread has a checkpoint. Reads one index entry and no state. The default of
   * `checkpointNs` is the root.
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
   * Writes values as if node `asNode` had written them. Errors: `conflict` if a run moves the head
   * during the call.
   */
  updateState(
    caller: Caller,
    graphId: string,
    threadId: string,
    update: { values: unknown; asNode?: string; checkpoint?: CheckpointRef },
  ): Promise<{ checkpoint: WireCheckpoint }>;
  /**
   * Writes several supersteps, each with the updates of its nodes. Errors: `invalid_argument` if
   * the graph refuses an update, and the supersteps before that update stay; `conflict` if a run
   * moves the head during the call.
   */
  updateStates(
    caller: Caller,
    graphId: string,
    threadId: string,
    supersteps: StateUpdate[][],
  ): Promise<{ checkpoint: WireCheckpoint }>;
  /**
   * Returns the output values of an ended run, as `invoke` returns them. They contain
   * `__interrupt__` if the run waits for an answer.
   */
  finalValues(caller: Caller, run: Run): Promise<unknown>;
}

export type JsonSchema = Record<string, unknown>;

/**
 * JSON schemas of a graph. A schema is null if it is not known. For example, a JavaScript graph has
 * no types to read.
 */
export interface GraphSchemas {
  state: JsonSchema | null;
  input: JsonSchema | null;
  output: JsonSchema | null;
  config: JsonSchema | null;
}

/** LangGraph's drawing of a graph, in the format of its clients (JSON). */
export interface GraphDrawing {
  nodes: Record<string, unknown>[];
  edges: Record<string, unknown>[];
}

/**
 * Describes graphs for clients. A factory is called with the given config, because the config may
 * decide which nodes the graph has. Errors: `not_found` for an unknown graph; `graph_failed` if a
 * factory throws.
 */
export interface GraphDescriptions {
  /**
   * Draws a graph. `xray` also draws the nodes of subgraphs: of all levels, or of the given number
   * of levels.
   */
  draw(caller: Caller, graphId: string, config: FactoryConfig, xray: boolean | number): Promise<GraphDrawing>;
  schemas(caller: Caller, graphId: string, config: FactoryConfig): Promise<GraphSchemas>;
  /** Returns whether a message can be added to the graph's state while the graph runs. */
  takesMessages(caller: Caller, graphId: string, config: FactoryConfig): Promise<boolean>;
  /**
   * Returns the schemas of subgraphs by namespace (`parent|child`). With `namespace`, returns only
   * that subgraph. With `recurse`, also returns the subgraphs inside of the returned ones.
   */
  subgraphs(
    caller: Caller,
    graphId: string,
    config: FactoryConfig,
    options: { namespace?: string; recurse: boolean },
  ): Promise<Record<string, GraphSchemas>>;
}

/** A request for one step of a run. The step starts at the thread's head. */
export interface StepRequest {
  run: Run;
  /** Ordinal of the run in its thread. */
  ordinal: number;
  attempt: number;
  /**
   * Limit in ms: if a superstep took less time, the next one runs in the same activity. 0: the step
   * ends after each superstep.
   */
  joinQuickStepsMs: number;
  /** Options of this step. The step stops before nodes that need other options. */
  options: StepOptions;
  /**
   * Ids of messages that earlier attempts wrote in events of mode `messages-tuple` and that are not
   * superseded.
   */
  writtenMessageIds?: ReadonlySet<string>;
  /**
   * Injected messages for the run, in order. The graph takes them at the first boundary between
   * supersteps at which its state can take messages.
   */
  injections?: Injection[];
}

/** Source of graphs. */
export type GraphSource = Pick<AgentProject, 'load'>;

export interface StepContext {
  /** The saver of this step, bound to thread, run and fence. */
  openSaver: (hooks: SaverHooks) => StepSaver;
  log: RunLog;
  /** Stops the graph and its model call at once. */
  signal: AbortSignal;
  /** Stops the graph after the current superstep. */
  drain: AbortSignal;
  store?: BaseStore;
  /** Whether the questions in the report have a preview and a default answer. */
  showsQuestions?: boolean;
}

export interface StepReport {
  /** `continue`: another step is due. `interrupted`: the run waits for a person. */
  status: 'continue' | 'success' | 'interrupted';
  /** Finished nodes in order, with tool names: `tools (search_candidates)`. */
  nodes: string[];
  /** Nodes that are due. */
  next: string[];
  /** Options that the next step needs. Absent: the next step can have any options. */
  nextOptions?: StepOptions;
  questions: PendingInterrupt[];
  interrupts: InterruptsByTask;
  /** Ids of the messages that the step took. */
  injected: string[];
  /** Head of the thread after the step. */
  head: Head;
}
