import { ColloquyError, errorCode } from '../protocol/index.js';
import { importModule, moduleExists } from './graph-module.js';
import { copyGraph, describeValue, toCompiledGraph, type LoadedGraph } from './graph-value.js';
import { offerLogger, type GraphLog } from './graph-logger.js';
import { checkLibrary } from './library-version.js';
import { applyProjectEnvironment } from './project-environment.js';
import { readProjectFile, type GraphEntry, type ProjectFile } from './project-file.js';
import type { ModuleExport, ProjectSettings } from './project-settings.js';

/** A loaded `langgraph.json`, with its graphs. */
export interface AgentProject extends ReadProject {
  /**
   * Returns a copy of a graph. The caller may set the copy's `checkpointer` and `store`. If the
   * project exports a factory for this graph, each call of `load` calls the factory, with `config`
   * and `runtime` as on LangGraph's own server. If `config` is a `ConfigReader`, it is called only
   * if there is a factory. Errors: `not_found` for an unknown graph id; `graph_failed` if the
   * factory throws; `invalid_argument` if the factory returns no graph.
   */
  load(graphId: string, config?: FactoryConfig | ConfigReader, runtime?: FactoryRuntime): Promise<LoadedGraph>;
}

/** What a `langgraph.json` says. No code of its graphs is needed to know it. */
export interface ReadProject {
  /** Absolute path of the project file. */
  path: string;
  graphs: GraphEntry[];
  /** The settings that are about the server and not about the graphs. */
  settings: ProjectSettings;
  /** The variables that this process got from the project's `env`. */
  environment: NodeJS.Dict<string>;
  /**
   * Warnings about the project: fields without effect, an old LangGraph, a missing `env` file.
   * Logged at start-up.
   */
  warnings: string[];
  /**
   * Imports an export that the project file names, and returns it. `field` is the setting that
   * names the export, for error messages. Errors: `invalid_argument` if the module cannot be
   * loaded or does not have the export.
   */
  importExport: (field: string, wanted: ModuleExport) => Promise<unknown>;
}

export interface FactoryConfig {
  configurable?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  tags?: string[];
  recursion_limit?: number;
}

/** Reads the config that a graph factory gets. */
export type ConfigReader = () => Promise<FactoryConfig | undefined>;

/** The second argument of a graph factory. It says what the graph will be used for. */
export type FactoryRuntime =
  | { accessContext: 'threads.create_run'; executionRuntime: { context: unknown } }
  | { accessContext: 'assistants.read' | 'threads.read' | 'threads.update'; executionRuntime: null };

export interface LoadProjectOptions {
  /** The only graph to load. Default: all graphs of the project. */
  graphId?: string;
  /**
   * If true, the module of a graph is imported when `load` needs it first. So a graph that cannot be
   * loaded concerns only the calls that need it. They fail with `graph_failed` and the error name
   * {@link GRAPH_NOT_LOADED}.
   */
  isLazy?: boolean;
  /**
   * Values that are added to `config.configurable` in each call of a graph factory. In this way a
   * worker passes the outbox to the hiring assistant. The config of a run never contains these
   * values, so they are never stored.
   */
  provide?: Readonly<Record<string, unknown>>;
  /**
   * Receives what graphs log with LangGraph's `getLogger()`. Default: a logger that writes level
   * info and above to standard error.
   */
  log?: GraphLog;
}

type Factory = (config: FactoryConfig, runtime: FactoryRuntime) => unknown;
type LoadedSource = { entry: GraphEntry } & ({ graph: LoadedGraph } | { factory: Factory });
/** Returns undefined for an unknown graph id. */
type FindSource = (graphId: string) => LoadedSource | Promise<LoadedSource> | undefined;

/** Error name of a graph whose module cannot be imported, see {@link LoadProjectOptions}. */
export const GRAPH_NOT_LOADED = 'graph_not_loaded';

const DEFAULT_RUNTIME: FactoryRuntime = { accessContext: 'assistants.read', executionRuntime: null };

/**
 * Loads a LangGraph.js project. `configPath` is the path of its `langgraph.json` or of the folder
 * that contains it. Sets the project's environment variables and imports the module of every graph.
 * Errors: `not_found`, `invalid_argument`, `unsupported`. If graphs cannot be loaded, one error
 * names them all.
 */
export async function loadProject(configPath: string, options: LoadProjectOptions = {}): Promise<AgentProject> {
  const project = await readProjectFile(configPath);
  const read = await describeProject(project);
  offerLogger(options.log);
  const find = options.isLazy ? lazySources(project) : await loadSources(project, options.graphId);
  return {
    ...read,
    async load(graphId, config, runtime = DEFAULT_RUNTIME) {
      const source = await find(graphId);
      if (!source) {
        const known = project.graphs.map((entry) => entry.graphId).join(', ');
        throw new ColloquyError('not_found', `graph ${graphId} is not in ${project.path}; it has ${known}`);
      }
      if ('graph' in source) return copyGraph(source.graph);
      const given = typeof config === 'function' ? await config() : config;
      const provided = { ...given, configurable: { ...given?.configurable, ...options.provide } };
      return copyGraph(await makeGraph(source.entry, source.factory, provided, runtime));
    },
  };
}

/**
 * Reads a project without importing its graphs. `configPath` is as for {@link loadProject}. Sets the
 * project's environment variables. Errors: `not_found`, `invalid_argument`, `unsupported`.
 */
export async function readProject(configPath: string): Promise<ReadProject> {
  return describeProject(await readProjectFile(configPath));
}

async function describeProject(project: ProjectFile): Promise<ReadProject> {
  const { environment, warnings: unread } = await applyProjectEnvironment(project);
  const warnings = [...project.warnings, ...(await checkLibrary(project)), ...unread];
  const { path, folder, graphs, settings } = project;
  return {
    path,
    graphs,
    settings,
    environment,
    warnings,
    importExport: (field, wanted) => importExport(field, wanted, folder),
  };
}

async function loadSources(project: ProjectFile, only: string | undefined): Promise<FindSource> {
  const sources = new Map<string, LoadedSource>();
  const faults: Error[] = [];
  // The modules are imported one after the other. In parallel this would be no faster, because they
  // share imports. Their side effects happen in the order of `langgraph.json`.
  for (const entry of project.graphs.filter(({ graphId }) => only === undefined || graphId === only)) {
    try {
      sources.set(entry.graphId, await loadSource(entry, project.folder));
    } catch (error) {
      faults.push(error as Error);
    }
  }
  if (faults.length === 0) return (graphId) => sources.get(graphId);
  const message = faults.map((fault) => fault.message).join('\n');
  throw new ColloquyError('invalid_argument', message, {
    cause: faults.length === 1 ? faults[0] : new AggregateError(faults),
  });
}

function lazySources({ graphs, folder }: ProjectFile): FindSource {
  const started = new Map<string, Promise<LoadedSource>>();
  return (graphId) => {
    const entry = graphs.find((one) => one.graphId === graphId);
    if (entry === undefined) return undefined;
    const source = started.get(graphId) ?? loadSource(entry, folder).catch(notLoaded);
    started.set(graphId, source);
    return source;
  };
}

/** Throws the error for a caller that has only named the graph: the request itself is right. */
function notLoaded(cause: unknown): never {
  throw new ColloquyError('graph_failed', messageOf(cause), { cause, errorName: GRAPH_NOT_LOADED });
}

async function loadSource(entry: GraphEntry, folder: string): Promise<LoadedSource> {
  const exported = await importExport(`graph ${entry.graphId}`, entry, folder, `graphs.${entry.graphId}`);
  if (typeof exported === 'function') return { entry, factory: exported as Factory };
  return { entry, graph: compiled(entry, `export ${entry.exportName} of ${entry.file}`, exported) };
}

async function importExport(what: string, wanted: ModuleExport, folder: string, field = what): Promise<unknown> {
  const { file, exportName } = wanted;
  const invalid = (message: string, cause?: unknown) =>
    new ColloquyError('invalid_argument', `${what}: ${message}`, { field, ...(cause !== undefined && { cause }) });
  if (!moduleExists(file)) throw invalid(`file ${file} does not exist`);
  const module = await importModule(file, folder).catch((cause: unknown) => {
    throw invalid(`importing ${file} failed: ${messageOf(cause)}`, cause);
  });
  const exported: unknown = await findExport(module, exportName);
  if (exported !== undefined) return exported;
  const names = Object.keys(module).join(', ') || 'nothing';
  throw invalid(`${file} has no export ${exportName}; it exports ${names}`);
}

/**
 * Returns an export of a module. Node.js puts the exports of a CommonJS module into `default`. If
 * the CommonJS module was compiled from an ES module, the default export of the ES module is
 * therefore in `default.default`.
 */
function findExport(module: Record<string, unknown>, name: string): unknown {
  const inner = module.default;
  const isInterop = typeof inner === 'object' && inner !== null && '__esModule' in inner;
  if (isInterop && name in inner) return (inner as Record<string, unknown>)[name];
  if (name in module) return module[name];
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined;
}

async function makeGraph(
  entry: GraphEntry,
  factory: Factory,
  config: FactoryConfig,
  runtime: FactoryRuntime,
): Promise<LoadedGraph> {
  const what = `factory ${entry.exportName} of ${entry.file}`;
  try {
    return compiled(entry, what, await factory(config, runtime));
  } catch (cause) {
    if (errorCode(cause) !== undefined) throw cause;
    const errorName = cause instanceof Error ? cause.name : 'Error';
    throw new ColloquyError('graph_failed', `graph ${entry.graphId}: ${what} threw: ${messageOf(cause)}`, {
      cause,
      errorName,
    });
  }
}

function compiled(entry: GraphEntry, what: string, value: unknown): LoadedGraph {
  let graph: LoadedGraph | undefined;
  try {
    graph = toCompiledGraph(value);
  } catch (cause) {
    throw fault(entry, `${what} does not compile: ${messageOf(cause)}`, cause);
  }
  if (graph) return graph;
  throw fault(
    entry,
    `${what} is ${describeValue(value)}; expected a compiled graph, a graph builder, or a function that makes one`,
  );
}

function fault(entry: GraphEntry, what: string, cause?: unknown): ColloquyError {
  return new ColloquyError('invalid_argument', `graph ${entry.graphId}: ${what}`, {
    field: `graphs.${entry.graphId}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
