/**
 * The graphs that ship with Colloquy, and the loader for any `langgraph.json`. The code in this
 * folder does not depend on Temporal, storage or HTTP.
 */
export { SHIPPED_PROJECT } from './graph-module.js';
export { TENANT_KEY } from './outbox.js';
export { importFromLibrary, importToolModules } from './library-version.js';
export { GRAPH_NOT_LOADED, loadProject, readProject } from './project.js';
export type { AgentProject, FactoryConfig, FactoryRuntime, LoadProjectOptions, ReadProject } from './project.js';
export type { GraphEntry } from './project-file.js';
export type { CorsSettings, HttpSettings, ModuleExport, ProjectSettings } from './project-settings.js';
export { copyGraph, isCompiledGraph } from './graph-value.js';
export type { LoadedGraph } from './graph-value.js';
export type { GraphLog, GraphLogLevel } from './graph-logger.js';
