import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ColloquyError } from '../protocol/index.js';
import { parseSettings, unknownSettings, type ModuleExport, type ProjectSettings } from './project-settings.js';

/**
 * The checked content of a `langgraph.json`. `warnings` names the fields that have no effect in
 * Colloquy.
 */
export interface ProjectFile {
  /** Absolute path of the file. */
  path: string;
  /** Folder that contains the file. The paths that the file names are relative to this folder. */
  folder: string;
  graphs: GraphEntry[];
  /**
   * Environment variables of the project: the path of a file with `NAME=value` lines, or an object
   * of names and values.
   */
  env: string | Record<string, string>;
  settings: ProjectSettings;
  warnings: string[];
}

export interface GraphEntry extends ModuleExport {
  graphId: string;
  description?: string;
}

/**
 * Fields that cause no warning. Colloquy reads some of them. The others are about building an image
 * or choosing a runtime, and a project that runs from its folder does not need them.
 */
const QUIET_FIELDS = new Set([
  '$schema',
  'graphs',
  'env',
  'store',
  'checkpointer',
  'http',
  'auth',
  'node_version',
  'python_version',
  'dependencies',
  'dockerfile_lines',
  'docker_compose_file',
  'image_distro',
  'base_image',
  'api_version',
  'pip_config_file',
  'pip_installer',
  'keep_pkg_tools',
  'source',
  '_INTERNAL_docker_tag',
]);

/**
 * Fields that are refused, each with the consequence of ignoring it. To ignore such a field would
 * expose what the project's author wanted to protect.
 */
const REFUSED_FIELDS: Readonly<Record<string, string>> = {
  encryption: 'data would be stored in the clear',
};

const IGNORED_FIELDS: Readonly<Record<string, string>> = {
  ui: 'user interface components are not served',
  ui_config: 'user interface components are not served',
  webhooks: 'runs have their own webhook, signed with COLLOQUY_WEBHOOK_SECRET',
  node_loader: 'TypeScript is loaded by tsx',
};

/**
 * Reads and checks a `langgraph.json`. `path` is the path of the file or of its folder. Errors:
 * `not_found`, `invalid_argument`, `unsupported`.
 */
export async function readProjectFile(path: string): Promise<ProjectFile> {
  const file = await locate(resolve(path));
  return parseProject(file, await readJson(file));
}

async function locate(path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ColloquyError('not_found', `project file ${path} does not exist`, { cause });
  });
  return found.isDirectory() ? locate(join(path, 'langgraph.json')) : path;
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, `not JSON: ${(cause as Error).message}`, undefined, cause);
  }
  if (!isRecord(value)) throw invalid(path, `expected an object, found ${kindOf(value)}`);
  return value;
}

function parseProject(path: string, json: Record<string, unknown>): ProjectFile {
  for (const [field, why] of Object.entries(REFUSED_FIELDS)) {
    if (isUsed(json[field])) {
      throw new ColloquyError('unsupported', `${path}: field ${field} is not supported yet: ${why}`, { field });
    }
  }
  const folder = dirname(path);
  return {
    path,
    folder,
    graphs: parseGraphs(path, folder, json.graphs),
    env: parseEnv(path, json.env),
    settings: parseSettings(path, folder, json),
    warnings: warnings(json),
  };
}

function warnings(json: Record<string, unknown>): string[] {
  const fields = Object.keys(json)
    .filter((field) => !QUIET_FIELDS.has(field) && !(field in REFUSED_FIELDS) && isUsed(json[field]))
    .map((field) => {
      const why = Object.hasOwn(IGNORED_FIELDS, field) ? IGNORED_FIELDS[field] : 'it is not known here';
      return `langgraph.json: field ${field} has no effect: ${why}`;
    });
  const inner = unknownSettings(json).map(
    (field) => `langgraph.json: field ${field} has no effect: it is not known here`,
  );
  return [...fields, ...inner];
}

function parseGraphs(path: string, folder: string, graphs: unknown): GraphEntry[] {
  if (!isRecord(graphs))
    throw invalid(path, `graphs: expected an object of graph ids, found ${kindOf(graphs)}`, 'graphs');
  const entries = Object.entries(graphs);
  if (entries.length === 0) throw invalid(path, 'graphs: at least one graph is needed, found none', 'graphs');
  return entries.map(([graphId, spec]) => parseGraph(path, folder, graphId, spec));
}

function parseGraph(project: string, folder: string, graphId: string, spec: unknown): GraphEntry {
  const field = `graphs.${graphId}`;
  const path = isRecord(spec) ? spec.path : spec;
  if (typeof path !== 'string') {
    throw invalid(project, `${field}: expected "<file>:<export>" or { path }, found ${kindOf(path)}`, field);
  }
  const description = isRecord(spec) ? spec.description : undefined;
  if (description !== undefined && typeof description !== 'string') {
    throw invalid(
      project,
      `${field}.description: expected a string, found ${kindOf(description)}`,
      `${field}.description`,
    );
  }
  // Splits at the last colon, because a Windows path also has a colon after its drive letter.
  const colon = path.lastIndexOf(':');
  if (colon <= 0) throw invalid(project, `${field}: expected "<file>:<export>", found "${path}"`, field);
  const file = resolve(folder, path.slice(0, colon));
  if (/\.pyi?$/.test(file)) {
    throw new ColloquyError(
      'unsupported',
      `${project}: ${field}: ${path} is a Python graph; only LangGraph.js graphs run here`,
      { field },
    );
  }
  return {
    graphId,
    path,
    file,
    exportName: path.slice(colon + 1) || 'default',
    ...(description === undefined ? {} : { description }),
  };
}

function parseEnv(path: string, env: unknown): string | Record<string, string> {
  if (env === undefined) return {};
  if (typeof env === 'string') return env;
  if (!isRecord(env)) throw invalid(path, `env: expected the path of a file or an object, found ${kindOf(env)}`, 'env');
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== 'string')
      throw invalid(path, `env.${name}: expected a string, found ${kindOf(value)}`, `env.${name}`);
  }
  return env as Record<string, string>;
}

function invalid(path: string, what: string, field?: string, cause?: unknown): ColloquyError {
  return new ColloquyError('invalid_argument', `${path}: ${what}`, {
    ...(field === undefined ? {} : { field }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function isUsed(value: unknown): boolean {
  return value !== undefined && value !== null && !(isRecord(value) && Object.keys(value).length === 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
