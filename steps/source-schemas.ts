import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GraphEntry } from '../agents/index.js';
import type { GraphSchemas, JsonSchema } from './ports.js';

/** Schemas by name: `<export>` is a graph, `<export>|<node>…` is a subgraph of it. */
export type SourceSchemas = Record<string, Partial<Record<keyof GraphSchemas, JsonSchema>>>;

export interface SourceReader {
  /**
   * Returns the schemas of a graph and of its subgraphs, derived from the TypeScript types in the
   * graph's source file. Returns an empty record if the file is not TypeScript. Errors: those of
   * the TypeScript compiler.
   */
  read(graphId: string): Promise<SourceSchemas>;
  prepare: () => void;
}

/**
 * Limit for reading the source files of a group of graphs. TypeScript checks everything that a
 * graph imports, LangChain included. The check takes seconds, and longer on a busy machine.
 */
const SOURCE_TIMEOUT_MS = 120_000;
const TYPED_SOURCE = /\.[cm]?tsx?$/;

/**
 * Creates a reader of the TypeScript types in the source files of graphs. It reads several graphs
 * together, because most of the time goes to imports that they share. If it cannot read a group of
 * graphs together, it reads each requested graph of the group alone.
 */
export function createSourceReader(graphs: readonly GraphEntry[]): SourceReader {
  const batches = together(graphs.filter(({ file }) => TYPED_SOURCE.test(file)));
  const started = new Map<string, Promise<SourceSchemas[]>>();
  let queue: Promise<unknown> = Promise.resolve();

  /**
   * Returns the schemas of a group of graphs. Reads each group only once, but reads it again after
   * a failure. Groups are read one after another, because reading takes one CPU and up to a
   * gigabyte of memory.
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
 * Returns groups of graphs that are read together. The graphs of a group are in the same npm
 * package. No two of them are in the same file, because they would conflict.
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
 * Returns the schemas of each graph of a group. Imports the library only when it is needed, because
 * it loads the TypeScript compiler.
 */
async function readSources(entries: GraphEntry[]): Promise<SourceSchemas[]> {
  const { getStaticGraphSchema } = await import('@langchain/langgraph-api/schema');
  const sources = entries.map(({ file, exportName }) => ({ sourceFile: file, exportSymbol: exportName }));
  // The type that the library declares is wrong. For each source file, the result has an entry for
  // the graph and one for each of its subgraphs.
  const found: unknown = await getStaticGraphSchema(Object.fromEntries(sources.entries()), {
    timeoutMs: SOURCE_TIMEOUT_MS,
  });
  return Object.values(found as Record<string, SourceSchemas>);
}
