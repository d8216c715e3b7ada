import { isDatabaseError } from '../database/index.js';
import { serviceCaller, type Run } from '../protocol/index.js';
import { describeThread, readValues } from '../steps/index.js';
import type { ThreadSaver } from '../threads/index.js';
import type { LoadedGraph } from '../agents/index.js';
import type { AttemptDependencies } from './ports.js';

/** Reads of a thread's state that need the graph of a run. */
export interface ThreadReads {
  /**
   * Returns the nodes that the graph would execute next, and the open questions of the run's
   * thread. Returns none if the graph cannot be loaded or cannot read the state, because this may be
   * the reason why the run ended. Throws errors of the database.
   */
  describe(run: Run): ReturnType<typeof describeThread>;
  /**
   * Returns the values of the thread's state, or undefined if the graph cannot be loaded or cannot
   * read the state. Throws errors of the database.
   */
  values(run: Run): Promise<unknown>;
}

export function createThreadReads(
  dependencies: Pick<AttemptDependencies, 'project' | 'savers' | 'showsQuestions'>,
): ThreadReads {
  const { project, savers, showsQuestions } = dependencies;

  async function read<T>(run: Run, by: (graph: LoadedGraph, saver: ThreadSaver) => Promise<T>): Promise<T | undefined> {
    const graph = await project.load(run.graphId, run.request.config).catch(() => undefined);
    if (graph === undefined) return undefined;
    try {
      return await by(graph, await savers.openReader(serviceCaller(run.tenant, 'worker', run.createdBy), run.threadId));
    } catch (error) {
      if (isDatabaseError(error)) throw error;
      return undefined;
    }
  }

  return {
    async describe(run) {
      const thread = await read(run, (graph, saver) => describeThread(graph, saver, run.threadId, { showsQuestions }));
      return thread ?? NOTHING_OPEN;
    },
    values: (run) => read(run, (graph, saver) => readValues(graph, saver, run.threadId)),
  };
}

/** What is known about a thread whose graph cannot read the state. */
export const NOTHING_OPEN = { next: [], interrupts: {}, questions: [] };
