import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Path of this file: in `agents/`, or in `dist/agents/` if it is compiled. */
const here = fileURLToPath(import.meta.url);
const roomFolder = dirname(here);
const isCompiled = here.endsWith('.js');
const shippedFolder = isCompiled ? resolve(roomFolder, '../../agents') : roomFolder;

/** Path of the `langgraph.json` whose graphs ship with Colloquy. */
export const SHIPPED_PROJECT = join(shippedFolder, 'langgraph.json');

/**
 * Imports a module of a project. Uses tsx even if the module is JavaScript, as LangGraph's own
 * server does, because the module may import TypeScript. Does not first try an import without tsx,
 * because Node.js would cache the failed import. Only the project that ships with Colloquy is
 * imported without tsx.
 */
export async function importModule(file: string, projectFolder: string): Promise<Record<string, unknown>> {
  const shipped = shippedModule(file);
  if (!shipped) await enableTypeScript(projectFolder);
  return (await import(pathToFileURL(shipped ?? file).href)) as Record<string, unknown>;
}

/** Returns whether {@link importModule} will find the file of this module. */
export function moduleExists(file: string): boolean {
  return existsSync(shippedModule(file) ?? file);
}

/**
 * Returns the path of the file to import for a module that ships with Colloquy, or undefined for
 * any other module. The `langgraph.json` that ships with Colloquy names TypeScript files, but the
 * npm package contains only compiled files.
 */
function shippedModule(file: string): string | undefined {
  const folder = [shippedFolder, roomFolder].find((candidate) => file.startsWith(candidate + sep));
  if (folder === undefined) return undefined;
  return isCompiled ? join(roomFolder, relative(folder, file)).replace(/\.ts$/, '.js') : file;
}

const enabledFor = new Map<string, Promise<void>>();

/**
 * Lets Node.js import TypeScript, with the settings of the project's `tsconfig.json`. This is done
 * once for each project and never undone, because a graph may import modules while it runs.
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
 * Registers tsx for ES modules and for CommonJS, because a project without `"type": "module"` is
 * CommonJS. Does not set tsx's option `namespace`. With this option, the project would get its own
 * module cache, and so another instance of LangChain than the rest of the process.
 */
async function registerTsx(projectFolder: string): Promise<void> {
  const esm = await import('tsx/esm/api');
  const cjs = await import('tsx/cjs/api');
  const tsconfig = join(projectFolder, 'tsconfig.json');
  cjs.register();
  esm.register(existsSync(tsconfig) ? { tsconfig } : { tsconfig: false });
}
