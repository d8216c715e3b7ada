import { ColloquyError, errorCode } from '../protocol/index.js';
import { importModule, moduleExists } from './graph-module.js';
import { copyGraph, describeValue, toCompiledGraph, type LoadedGraph } from './graph-value.js';
import { offerLogger, type GraphLog } from './graph-logger.js';
import { checkLibrary } from './library-version.js';
import { applyProjectEnvironment } from './project-environment.js';
import { readProjectFile, type GraphEntry, type ProjectFile } from './project-file.js';
import type { ModuleExport, ProjectSettings } from './project-settings.js';

/** The graphs of one `langgraph.json`. */
export interface AgentProject {
  /** Absolute path of the project file. */
  path: string;
  graphs: GraphEntry[];
  /** Settings of the server around its graphs. */
  settings: ProjectSettings;
  /** Variables that the project's `env` set in this process. */
  environment: NodeJS.Dict<string>;
  /** What the project asks for and we do not support. Logged at start-up. */
  warnings: string[];
  /**
   * Imports the export of a module that the setting `field` names. Errors: `invalid_argument` if
   * the module cannot be loaded.
   */
  importExport: (field: string, wanted: ModuleExport) => Promise<unknown>;
  /**
   * Returns a copy of a graph, on which the caller may set `checkpointer` and `store`. A factory is
   * called each time, with `config` and `runtime` as on LangGraph's server. If `config` is a
   * `ConfigReader`, it is only called for a factory. Errors: `not_found` for an unknown id;
   * `graph_failed` if a factory throws; `invalid_argument` if it returns no graph.
   */
  load(graphId: string, config?: FactoryConfig | ConfigReader, runtime?: FactoryRuntime): Promise<LoadedGraph>;
}

export interface FactoryConfig {
  configurable?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  tags?: string[];
  recursion_limit?: number;
}

/** Reads the config for a factory. */
export type ConfigReader = () => Promise<FactoryConfig | undefined>;

/** Second argument of a factory: for what the graph will be used. */
export type FactoryRuntime =
  | { accessContext: 'threads.create_run'; executionRuntime: { context: unknown } }
  | { accessContext: 'assistants.read' | 'threads.read' | 'threads.update'; executionRuntime: null };

export interface LoadProjectOptions {
  /**
   * Values for the factories of graphs, added to `config.configurable` of each call. The
   * process that loads the project passes ports to the shipped agent this way. A run's own config
   * never contains them, so they are never stored.
   */
  provide?: Readonly<Record<string, unknown>>;
  /**
   * Receives what graphs log with LangGraph's `getLogger()`. Default: standard error, for level
   * info and above.
   */
  log?: GraphLog;
}

type Factory = (config: FactoryConfig, runtime: FactoryRuntime) => unknown;
type LoadedSource = { entry: GraphEntry } & ({ graph: LoadedGraph } | { factory: Factory });

const DEFAULT_RUNTIME: FactoryRuntime = { accessContext: 'assistants.read', executionRuntime: null };

/**
 * Loads a LangGraph.js project by its `langgraph.json` or the folder of that file. Applies the
 * project's `env` and imports the module of every graph. Errors: `not_found`, `invalid_argument`
 * and `unsupported`; one message names all graphs that cannot be loaded.
 */
export async function loadProject(configPath: string, options: LoadProjectOptions = {}): Promise<AgentProject> {
  const project = await readProjectFile(configPath);
  const { environment, warnings: unread } = await applyProjectEnvironment(project);
  const warnings = [...project.warnings, ...(await checkLibrary(project)), ...unread];
  offerLogger(options.log);
  const sources = await loadSources(project);
  return {
    path: project.path,
    graphs: project.graphs,
    settings: project.settings,
    environment,
    warnings,
    importExport: (field, wanted) => importExport(field, wanted, project.folder),
    async load(graphId, config, runtime = DEFAULT_RUNTIME) {
      const source = sources.get(graphId);
      if (!source) {
        throw new ColloquyError(
          'not_found',
          `graph ${graphId} is not in ${project.path}; it has ${[...sources.keys()].join(', ')}`,
        );
      }
      if ('graph' in source) return copyGraph(source.graph);
      const given = typeof config === 'function' ? await config() : config;
      const provided = { ...given, configurable: { ...given?.configurable, ...options.provide } };
      return copyGraph(await makeGraph(source.entry, source.factory, provided, runtime));
    },
  };
}

async function loadSources(project: ProjectFile): Promise<Map<string, LoadedSource>> {
  const sources = new Map<string, LoadedSource>();
  const faults: Error[] = [];
  // Sequential: parallel imports of shared modules would be no faster, and this way the modules'
  // side effects happen in the order of the file.
  for (const entry of project.graphs) {
    try {
      sources.set(entry.graphId, await loadSource(entry, project.folder));
    } catch (error) {
      faults.push(error as Error);
    }
  }
  if (faults.length === 0) return sources;
  const message = faults.map((fault) => fault.message).join('\n');
  throw new ColloquyError('invalid_argument', message, {
    cause: faults.length === 1 ? faults[0] : new AggregateError(faults),
  });
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
 * Returns an export of a module. A CommonJS module has its exports in `default`; one that was
 * compiled from ESM has them one level deeper.
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
