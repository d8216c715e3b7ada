import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GraphEntry } from '../agents/index.js';
import type { GraphSchemas, JsonSchema } from './ports.js';

/** Keys: `<export>` for a graph, `<export>|<node>…` for its subgraphs. */
export type SourceSchemas = Record<string, Partial<Record<keyof GraphSchemas, JsonSchema>>>;

export interface SourceReader {
  /**
   * Returns the schemas of a graph's source. Returns an empty record if the source has no types.
   * Errors: those of the TypeScript compiler.
   */
  read(graphId: string): Promise<SourceSchemas>;
  prepare: () => void;
}

/**
 * TypeScript checks everything that a graph imports, LangChain included. The check takes seconds,
 * and longer on a busy machine.
 */
const SOURCE_TIMEOUT_MS = 120_000;
const TYPED_SOURCE = /\.[cm]?tsx?$/;

/**
 * Reads the TypeScript types in the sources of graphs. Most of the time is spent on imports that
 * several graphs share. So graphs are read together. If that fails, they are read one by one.
 */
export function createSourceReader(graphs: readonly GraphEntry[]): SourceReader {
  const batches = together(graphs.filter(({ file }) => TYPED_SOURCE.test(file)));
  const started = new Map<string, Promise<SourceSchemas[]>>();
  let queue: Promise<unknown> = Promise.resolve();

  /**
   * Reads a group of graphs once and keeps the result; failures are not kept. Groups are read
   * sequentially, because reading takes one CPU and up to a gigabyte of memory.
   */
  function once(entries: GraphEntry[]): Promise<SourceSchemas[]> {
    const key = entries.map(({ graphId }) => graphId).join('\n');
    let found = started.get(key);
    if (!found) {
      found = queue.then(() => readSources(entries));
      queue = found.catch(() => started.delete(key));
      started.set(key, found);
    }
    return found;
  }

  return {
    async read(graphId) {
      const batch = batches.find((entries) => entries.some((entry) => entry.graphId === graphId));
      const index = batch?.findIndex((entry) => entry.graphId === graphId) ?? -1;
      const entry = batch?.[index];
      if (batch === undefined || entry === undefined) return {};
      const alone = async () => (await once([entry]))[0];
      return (batch.length === 1 ? await alone() : await once(batch).then((all) => all[index], alone)) ?? {};
    },
    prepare: () => void Promise.allSettled(batches.map(once)),
  };
}

/**
 * Groups the graphs of each package. A group has at most one graph of each file, because two graphs
 * of one file would conflict.
 */
function together(graphs: readonly GraphEntry[]): GraphEntry[][] {
  const batches = new Map<string, GraphEntry[]>();
  const seen = new Map<string, number>();
  for (const entry of graphs) {
    const earlier = seen.get(entry.file) ?? 0;
    seen.set(entry.file, earlier + 1);
    const key = `${earlier} ${packageOf(dirname(entry.file))}`;
    batches.set(key, [...(batches.get(key) ?? []), entry]);
  }
  return [...batches.values()];
}

function packageOf(folder: string): string {
  const above = dirname(folder);
  return above === folder || existsSync(join(folder, 'package.json')) ? folder : packageOf(above);
}

/**
 * Reads the sources of a group. The library is imported here, because only descriptions of graphs
 * need the TypeScript compiler.
 */
async function readSources(entries: GraphEntry[]): Promise<SourceSchemas[]> {
  const { getStaticGraphSchema } = await import('@langchain/langgraph-api/schema');
  const sources = entries.map(({ file, exportName }) => ({ sourceFile: file, exportSymbol: exportName }));
  // The declared type is wrong: the result has one entry for the graph and for each of its
  // subgraphs.
  const found: unknown = await getStaticGraphSchema(Object.fromEntries(sources.entries()), {
    timeoutMs: SOURCE_TIMEOUT_MS,
  });
  return Object.values(found as Record<string, SourceSchemas>);
}
