import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import type { StateSnapshot } from '@langchain/langgraph';
import type { FactoryConfig, LoadedGraph } from '../agents/index.js';
import {
  ColloquyError,
  errorCode,
  type Caller,
  type CheckpointRef,
  type Interrupt,
  type InterruptsByTask,
  type PendingInterrupt,
  type Run,
  withoutNulls,
} from '../protocol/index.js';
import type { SaverStore } from '../threads/index.js';
import { toCommand } from './command.js';
import { describeError } from './failure.js';
import { questionOf, type QuestionOptions } from './questions.js';
import type { GraphSource, StateAccess, ThreadState, ThreadTask, WireCheckpoint } from './ports.js';
import { checkpointOf, toWire } from './wire.js';

export interface StateDependencies {
  project: GraphSource;
  savers: Pick<SaverStore, 'openReader' | 'openEditor'>;
  /**
   * Returns the config of the thread's last run. If the project exports a factory, the factory
   * makes the thread's graph with this config.
   */
  lastConfig: (caller: Caller, threadId: string) => Promise<FactoryConfig | undefined>;
}

/**
 * Creates a {@link StateAccess} that reads and edits the state of a thread through the thread's
 * graph.
 */
export function createStateAccess(dependencies: StateDependencies): StateAccess {
  const { project, savers, lastConfig } = dependencies;

  async function load(
    caller: Caller,
    graphId: string,
    threadId: string,
    accessContext: 'threads.read' | 'threads.update',
  ) {
    const config = () => lastConfig(caller, threadId);
    const graph = await project.load(graphId, config, { accessContext, executionRuntime: null });
    const isEdit = accessContext === 'threads.update';
    const saver = isEdit ? savers.openEditor(caller, threadId) : savers.openReader(caller, threadId);
    return onSaver(graph, await saver);
  }

  return {
    async getState(caller, graphId, threadId, options = {}) {
      if (graphId === undefined) return emptyState(threadId);
      const graph = await load(caller, graphId, threadId, 'threads.read');
      const config = configOf(threadId, options.checkpoint);
      const snapshot = await graph.getState(config, { subgraphs: options.subgraphs ?? false });
      if (options.checkpoint?.checkpointId !== undefined && snapshot.createdAt === undefined) {
        throw new ColloquyError('not_found', `thread ${threadId} has no checkpoint ${options.checkpoint.checkpointId}`);
      }
      return toThreadState(snapshot);
    },

    async hasCheckpoint(caller, threadId, { checkpointId, checkpointNs = '' }) {
      return (await savers.openReader(caller, threadId)).hasCheckpoint(threadId, checkpointNs, checkpointId);
    },

    async getHistory(caller, graphId, threadId, options) {
      if (graphId === undefined) return [];
      const graph = await load(caller, graphId, threadId, 'threads.read');
      const states: ThreadState[] = [];
      const snapshots = graph.getStateHistory(configOf(threadId, options.checkpoint), {
        limit: options.limit,
        ...(options.before !== undefined && { before: configOf(threadId, options.before) }),
        ...(options.metadata !== undefined && { filter: options.metadata }),
      });
      for await (const snapshot of snapshots) states.push(toThreadState(snapshot));
      return states;
    },

    async updateState(caller, graphId, threadId, update) {
      const graph = await load(caller, graphId, threadId, 'threads.update');
      const config = configOf(threadId, update.checkpoint);
      try {
        const moved = await graph.updateState(config, update.values as never, update.asNode);
        return { checkpoint: checkpointOf(moved) as unknown as WireCheckpoint };
      } catch (error) {
        throw readableUpdateError(error, threadId, update.asNode);
      }
    },

    async updateStates(caller, graphId, threadId, supersteps) {
      const graph = await load(caller, graphId, threadId, 'threads.update');
      const updates = supersteps.map((updates) => ({
        updates: updates.map(({ values, command, asNode }) => ({
          values: (command === undefined ? values : toCommand(command)) as Record<string, unknown>,
          asNode,
        })),
      }));
      try {
        const moved = await graph.bulkUpdateState(configOf(threadId), updates);
        return { checkpoint: checkpointOf(moved) as unknown as WireCheckpoint };
      } catch (error) {
        throw readableUpdateError(error, threadId, supersteps.at(-1)?.at(-1)?.asNode);
      }
    },

    async finalValues(caller, run) {
      const graph = await load(caller, run.graphId, run.threadId, 'threads.read');
      const snapshot = await graph.getState(configOf(run.threadId));
      return toWire(finalValues(graph, snapshot, run));
    },
  };
}

/**
 * Returns the due nodes and the open questions of a thread, which decide its status. Sets `saver`
 * as the checkpointer of `graph`.
 */
export async function describeThread(
  graph: LoadedGraph,
  saver: BaseCheckpointSaver<string>,
  threadId: string,
  { showsQuestions = false }: QuestionOptions = {},
): Promise<{ next: string[]; interrupts: InterruptsByTask; questions: PendingInterrupt[] }> {
  const snapshot = await onSaver(graph, saver).getState(configOf(threadId));
  const asked = snapshot.tasks.filter((task) => task.interrupts.length > 0);
  return {
    next: snapshot.next,
    interrupts: Object.fromEntries(asked.map((task) => [task.id, toWire<Interrupt[]>(task.interrupts)])),
    questions: asked.flatMap((task) => task.interrupts.map((one) => questionOf(task.name, one, showsQuestions))),
  };
}

/**
 * Returns the newest values of a thread in the wire format. Sets `saver` as the checkpointer of
 * `graph`.
 */
export async function readValues(
  graph: LoadedGraph,
  saver: BaseCheckpointSaver<string>,
  threadId: string,
): Promise<unknown> {
  const snapshot = await onSaver(graph, saver).getState(configOf(threadId));
  return toWire(snapshot.values ?? {});
}

/**
 * Sets the saver as the graph's checkpointer, and returns the graph. If the saver were in the
 * config instead, LangGraph would take the graph for a subgraph and ignore the graphs inside it.
 */
function onSaver(graph: LoadedGraph, saver: BaseCheckpointSaver<string>): LoadedGraph {
  graph.checkpointer = saver as never;
  return graph;
}

function configOf(threadId: string, checkpoint?: CheckpointRef) {
  return {
    configurable: {
      thread_id: threadId,
      checkpoint_ns: checkpoint?.checkpointNs ?? '',
      ...(checkpoint?.checkpointId !== undefined && { checkpoint_id: checkpoint.checkpointId }),
      ...(checkpoint?.checkpointMap !== undefined && { checkpoint_map: checkpoint.checkpointMap }),
    },
  };
}

/**
 * Returns what `invoke` would return for the run: the values of the output channels, and the open
 * questions if the run waits for answers.
 */
function finalValues(graph: LoadedGraph, snapshot: StateSnapshot, run: Run): unknown {
  const outputs = graph.outputChannels;
  const values = pick(snapshot.values, outputs);
  const interrupts = snapshot.tasks.flatMap((task) => task.interrupts);
  if (run.status !== 'interrupted' || interrupts.length === 0) return values;
  return typeof values === 'object' && values !== null
    ? { ...values, __interrupt__: interrupts }
    : { __interrupt__: interrupts };
}

function pick(values: unknown, outputs: string | string[]): unknown {
  if (!Array.isArray(outputs) || typeof values !== 'object' || values === null) return values;
  const wanted = new Set(outputs);
  return Object.fromEntries(Object.entries(values).filter(([channel]) => wanted.has(channel)));
}

function toThreadState(snapshot: StateSnapshot): ThreadState {
  const tasks = snapshot.tasks.map(toThreadTask);
  return {
    values: toWire(snapshot.values ?? {}),
    next: snapshot.next,
    tasks,
    metadata: snapshot.metadata === undefined ? null : toWire(snapshot.metadata),
    created_at: snapshot.createdAt === undefined ? null : new Date(snapshot.createdAt).toISOString(),
    checkpoint: checkpointOf(snapshot.config) as WireCheckpoint | null,
    parent_checkpoint: checkpointOf(snapshot.parentConfig) as WireCheckpoint | null,
    interrupts: tasks.flatMap((task) => task.interrupts),
  };
}

function toThreadTask(task: StateSnapshot['tasks'][number]): ThreadTask {
  const { state } = task;
  return {
    id: task.id,
    name: task.name,
    path: toWire(task.path ?? []),
    error: task.error === undefined ? null : describeError(task.error).message,
    interrupts: toWire<Interrupt[]>(task.interrupts),
    checkpoint: checkpointConfigOf(state),
    state: state !== undefined && 'values' in state ? toThreadState(state) : null,
    result: toWire((task as { result?: unknown }).result ?? null),
  };
}

/**
 * Returns the checkpoint of a subgraph's state, with the fields that LangGraph's server returns.
 * Fields that are null are left out.
 */
function checkpointConfigOf(state: StateSnapshot['tasks'][number]['state']): Record<string, unknown> | null {
  const known = checkpointOf(state, false);
  return known && withoutNulls(known);
}

function emptyState(threadId: string): ThreadState {
  return {
    values: {},
    next: [],
    tasks: [],
    metadata: null,
    created_at: null,
    checkpoint: { thread_id: threadId, checkpoint_id: null, checkpoint_ns: '', checkpoint_map: null },
    parent_checkpoint: null,
    interrupts: [],
  };
}

function readableUpdateError(error: unknown, threadId: string, asNode: string | undefined): unknown {
  if (errorCode(error) === 'fence_lost') {
    return new ColloquyError('conflict', `thread ${threadId} moved on while its state was updated; try again`, {
      cause: error,
    });
  }
  const { name, message } = (error ?? {}) as { name?: string; message?: string };
  if (name === 'InvalidUpdateError') {
    return new ColloquyError(
      'invalid_argument',
      `state of thread ${threadId} cannot be updated as node ${asNode ?? '(last)'}: ${message ?? ''}`,
      {
        cause: error,
        field: asNode === undefined ? 'values' : 'as_node',
      },
    );
  }
  return error;
}
