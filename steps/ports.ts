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

/** What one node is taken to have written: values, or a command. */
export interface StateUpdate {
  values?: unknown;
  command?: RunCommand;
  asNode: string;
}

/** Reads and edits the state of idle threads; what the API may ask of graphs. Every answer is plain JSON. */
export interface StateAccess {
  /** State at the head, or at a checkpoint. A thread that never ran has empty values. Errors: `not_found` for an unknown checkpoint. */
  getState(
    caller: Caller,
    graphId: string | undefined,
    threadId: string,
    options?: { checkpoint?: CheckpointRef; subgraphs?: boolean },
  ): Promise<ThreadState>;
  /** Whether a thread has a checkpoint: one read of an index, and no state. Without a namespace: the root's. */
  hasCheckpoint(
    caller: Caller,
    threadId: string,
    checkpoint: { checkpointId: string; checkpointNs?: string },
  ): Promise<boolean>;
  /** Newest first. */
  getHistory(
    caller: Caller,
    graphId: string | undefined,
    threadId: string,
    options: { limit: number; before?: CheckpointRef; metadata?: Record<string, unknown>; checkpoint?: CheckpointRef },
  ): Promise<ThreadState[]>;
  /** Writes values as if node `asNode` had. Errors: `conflict` when a run moved the head meanwhile. */
  updateState(
    caller: Caller,
    graphId: string,
    threadId: string,
    update: { values: unknown; asNode?: string; checkpoint?: CheckpointRef },
  ): Promise<{ checkpoint: WireCheckpoint }>;
  /**
   * Writes a state of several supersteps, each with what its nodes wrote. Errors: `invalid_argument` for updates that the graph does not take
   * (earlier supersteps stay); `conflict` when a run moved the head meanwhile.
   */
  updateStates(
    caller: Caller,
    graphId: string,
    threadId: string,
    supersteps: StateUpdate[][],
  ): Promise<{ checkpoint: WireCheckpoint }>;
  /** Output values of a run that has ended (what `invoke` would return, with `__interrupt__` where it waits). */
  finalValues(caller: Caller, run: Run): Promise<unknown>;
}

export type JsonSchema = Record<string, unknown>;

/** What a graph takes and gives, as JSON schemas; null where nobody can know: the types of a graph written in JavaScript, say. */
export interface GraphSchemas {
  state: JsonSchema | null;
  input: JsonSchema | null;
  output: JsonSchema | null;
  config: JsonSchema | null;
}

/** LangGraph's drawing of a graph, as clients read it (JSON). */
export interface GraphDrawing {
  nodes: Record<string, unknown>[];
  edges: Record<string, unknown>[];
}

/**
 * What clients may know of the graphs themselves. A graph that a factory makes is made with the given config, which may decide its nodes.
 * Errors: `not_found` for a graph that is not served here; `graph_failed` where a factory throws.
 */
export interface GraphDescriptions {
  /** `xray`: subgraphs are drawn as their nodes, all the way down or so many levels. */
  draw(caller: Caller, graphId: string, config: FactoryConfig, xray: boolean | number): Promise<GraphDrawing>;
  schemas(caller: Caller, graphId: string, config: FactoryConfig): Promise<GraphSchemas>;
  /** Whether a message can be added to the graph's state while it runs. */
  takesMessages(caller: Caller, graphId: string, config: FactoryConfig): Promise<boolean>;
  /** By namespace (`parent|child`); only the one named, and with `recurse` those inside. */
  subgraphs(
    caller: Caller,
    graphId: string,
    config: FactoryConfig,
    options: { namespace?: string; recurse: boolean },
  ): Promise<Record<string, GraphSchemas>>;
}

/** One step to run: a thread's run from where it stands. */
export interface StepRequest {
  run: Run;
  /** Ordinal of the run in its thread. */
  ordinal: number;
  attempt: number;
  /** Go on to the next superstep where the last took less, in ms; 0: stop after each. */
  joinQuickStepsMs: number;
  /** Options this step runs under; it stops before nodes that want others. */
  options: StepOptions;
  /** Ids of messages that earlier attempts told in `messages-tuple`, and that stand. */
  told?: ReadonlySet<string>;
  /** Messages for the run, first to last, to take at the first boundary between supersteps that allows it. */
  injections?: Injection[];
}

/** Where graphs come from. */
export type GraphSource = Pick<AgentProject, 'load'>;

export interface StepContext {
  /** The saver of this step, bound to thread, run and fence. */
  openSaver: (hooks: SaverHooks) => StepSaver;
  log: RunLog;
  /** Stops the graph, and the model call in it, at once. */
  signal: AbortSignal;
  /** Stops it after the superstep it is in. */
  drain: AbortSignal;
  store?: BaseStore;
  /** The report's questions have a preview and their default answer. */
  showsQuestions?: boolean;
}

export interface StepReport {
  /** `continue`: another step is due; `interrupted`: it waits for a person. */
  status: 'continue' | 'success' | 'interrupted';
  /** Nodes that ran, in order of completion, with tool names: `tools (search_candidates)`. */
  nodes: string[];
  /** Nodes that are due. */
  next: string[];
  /** Options the next step must run under; absent: any. */
  nextOptions?: StepOptions;
  questions: PendingInterrupt[];
  interrupts: InterruptsByTask;
  /** Ids of the messages that were taken. */
  injected: string[];
  /** Where the thread stands. */
  head: Head;
}
