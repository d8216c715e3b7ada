import { readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ColloquyError } from '../protocol/index.js';
import type { ProjectFile } from './project-file.js';

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
  const target = copy?.exports?.[`./${part}`]?.import;
  const path = typeof target === 'string' ? target : target?.default;
  if (copy === undefined || path === undefined) return undefined;
  return (await import(pathToFileURL(await realpath(join(copy.folder, path))).href)) as Record<string, unknown>;
}

interface Copy {
  folder: string;
  version: string;
  exports?: Record<string, { import?: string | { default?: string } }>;
}

/**
 * Returns the copy of LangGraph that modules in the folder `from` import. Returns undefined if no
 * `node_modules` on the way up from this folder contains LangGraph.
 */
async function findLangGraph(from: string): Promise<Copy | undefined> {
  const folder = join(from, 'node_modules', '@langchain', 'langgraph');
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
  if (text !== undefined) return { ...(JSON.parse(text) as Omit<Copy, 'folder'>), folder };
  return dirname(from) === from ? undefined : findLangGraph(dirname(from));
}

function isBefore(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
