import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The folder of this room: `agents/`, or compiled `dist/agents/`. */
const here = fileURLToPath(import.meta.url);
const roomFolder = dirname(here);
const isCompiled = here.endsWith('.js');
const shippedFolder = isCompiled ? resolve(roomFolder, '../../agents') : roomFolder;

/** The `langgraph.json` of the graphs that ship with the product. */
export const SHIPPED_PROJECT = join(shippedFolder, 'langgraph.json');

/**
 * Imports a module of a project. Packages resolve from the project's folder. Every project but our
 * own is imported through tsx, as on LangGraph's server, for two reasons: JavaScript may import
 * TypeScript, and Node caches a failed import.
 */
export async function importModule(file: string, projectFolder: string): Promise<Record<string, unknown>> {
  const shipped = shippedModule(file);
  if (!shipped) await enableTypeScript(projectFolder);
  return (await import(pathToFileURL(shipped ?? file).href)) as Record<string, unknown>;
}

/**
 * Returns whether the module's file exists, in the form that will be imported: source or compiled.
 */
export function moduleExists(file: string): boolean {
  return existsSync(shippedModule(file) ?? file);
}

/**
 * Returns the path of a module that ships with the product, undefined for other modules. Our
 * langgraph.json names source files, but the package has only compiled ones.
 */
function shippedModule(file: string): string | undefined {
  const folder = [shippedFolder, roomFolder].find((candidate) => file.startsWith(candidate + sep));
  if (folder === undefined) return undefined;
  return isCompiled ? join(roomFolder, relative(folder, file)).replace(/\.ts$/, '.js') : file;
}

const enabledFor = new Map<string, Promise<void>>();

/**
 * Lets Node import a project's TypeScript. Done once for each project and never undone, because a
 * graph may import modules while it runs.
 */
function enableTypeScript(projectFolder: string): Promise<void> {
  let enabled = enabledFor.get(projectFolder);
  if (!enabled) {
    enabled = registerTsx(projectFolder);
    enabledFor.set(projectFolder, enabled);
  }
  return enabled;
}

/**
 * Registers tsx without a namespace, so that modules share their copies of LangChain with all other
 * modules that resolve to the same files. Registers both loaders, because a project without
 * `"type": "module"` is CommonJS.
 */
async function registerTsx(projectFolder: string): Promise<void> {
  const esm = await import('tsx/esm/api');
  const cjs = await import('tsx/cjs/api');
  const tsconfig = join(projectFolder, 'tsconfig.json');
  cjs.register();
  esm.register(existsSync(tsconfig) ? { tsconfig } : { tsconfig: false });
}
