import { readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ColloquyError } from '../protocol/index.js';
import type { GraphEntry, ProjectFile } from './project-file.js';

/**
 * The oldest version of LangGraph that is supported. Before it, checkpoints have another format and
 * interrupts have no ids.
 */
const OLDEST = '0.4.0';
/** The first version of LangGraph that can stop a graph between two supersteps (`RunControl`). */
const STEPPED = '1.7.0';

/**
 * Checks the copies of LangGraph that the project's graphs import. Returns one warning for each
 * copy that cannot stop a graph between two supersteps. Errors: `unsupported` if a copy is older
 * than {@link OLDEST}.
 */
export async function checkLibrary(project: ProjectFile): Promise<string[]> {
  const copies = new Map<string, string>();
  for (const { file } of project.graphs) {
    const copy = await findLangGraph(dirname(file));
    if (copy !== undefined) copies.set(copy.folder, copy.version);
  }
  return [...copies].flatMap(([folder, version]) => judge(`LangGraph ${version} in ${relative('', folder)}`, version));
}

function judge(what: string, version: string): string[] {
  if (isBefore(version, OLDEST)) {
    throw new ColloquyError('unsupported', `${what} is too old: ${OLDEST} or newer is needed, ${STEPPED} is better`);
  }
  if (!isBefore(version, STEPPED)) return [];
  return [
    `${what} cannot be stopped between steps, as ${STEPPED} can: each turn is one activity, under the timeout of one step; options of nodes have no effect`,
  ];
}

/**
 * Imports the module `part` of LangGraph, such as `zod/schema`. Takes it from the copy of LangGraph
 * that the graph in `file` imports, because copies do not share their state. Returns undefined if
 * the copy or the module does not exist.
 */
export async function importFromLibrary(file: string, part: string): Promise<Record<string, unknown> | undefined> {
  const copy = await findLangGraph(dirname(file));
  const path = pathOf(copy?.exports?.[`./${part}`]?.import);
  if (copy === undefined || path === undefined) return undefined;
  return (await import(pathToFileURL(await realpath(join(copy.folder, path))).href)) as Record<string, unknown>;
}

/**
 * Imports `@langchain/core/tools` from each copy of LangChain that the project's graphs import. A
 * copy has two modules, for `import` and for `require`. The second one is returned only if it is in
 * use. `graphId` is the only graph to look at.
 */
export async function importToolModules(
  graphs: readonly GraphEntry[],
  graphId?: string,
): Promise<Record<string, unknown>[]> {
  const files = graphs.filter((graph) => graphId === undefined || graph.graphId === graphId).map(({ file }) => file);
  const copies = new Map<string, Copy>();
  for (const file of files) {
    // Without `@langchain/core` of its own, a project has the one of its LangGraph.
    const library = await findLangGraph(dirname(file));
    const around = library === undefined ? [] : [await realpath(library.folder)];
    for (const from of [dirname(file), ...around]) {
      const copy = await findPackage('@langchain/core', from);
      if (copy !== undefined) copies.set(await realpath(copy.folder), copy);
    }
  }
  const modules = await Promise.all([...copies].map(([folder, copy]) => toolModules(folder, copy)));
  return modules.flat();
}

async function toolModules(folder: string, copy: Copy): Promise<Record<string, unknown>[]> {
  const paths = copy.exports?.['./tools'];
  const imported = pathOf(paths?.import);
  const required = pathOf(paths?.require);
  const loaded = required === undefined ? undefined : inUse(join(folder, required));
  const module = imported === undefined ? undefined : await importFile(join(folder, imported));
  return [module, loaded].filter((one) => one !== undefined);
}

async function importFile(path: string): Promise<Record<string, unknown> | undefined> {
  return (await import(pathToFileURL(path).href).catch(() => undefined)) as Record<string, unknown> | undefined;
}

/** Returns a CommonJS module if it has been loaded. */
function inUse(path: string): Record<string, unknown> | undefined {
  return createRequire(path).cache[path]?.exports as Record<string, unknown> | undefined;
}

type Target = string | { default?: string };

function pathOf(target: Target | undefined): string | undefined {
  return typeof target === 'string' ? target : target?.default;
}

interface Copy {
  folder: string;
  version: string;
  exports?: Record<string, { import?: Target; require?: Target }>;
}

/**
 * Returns the copy of LangGraph that modules in the folder `from` import. Returns undefined if no
 * `node_modules` on the way up from this folder contains LangGraph.
 */
function findLangGraph(from: string): Promise<Copy | undefined> {
  return findPackage('@langchain/langgraph', from);
}

async function findPackage(name: string, from: string): Promise<Copy | undefined> {
  const folder = join(from, 'node_modules', name);
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
  if (text !== undefined) return { ...(JSON.parse(text) as Omit<Copy, 'folder'>), folder };
  return dirname(from) === from ? undefined : findPackage(name, dirname(from));
}

function isBefore(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
