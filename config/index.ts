/**
 * Reads environment variables and flags once into one typed value. This room (top-level folder)
 * does not know the rooms that use the value. Only composition roots, the code that connects the
 * parts of a process, import this room.
 */
export type {
  ApiConfig,
  Config,
  LangSmithConfig,
  LogConfig,
  MongoConfig,
  TelemetryConfig,
  TemporalConfig,
  Variable,
  WorkerConfig,
} from './config.js';
export { ConfigError, VARIABLES, assistantDefaultsOf, loadConfig } from './config.js';
export { childEnvironment, isSet, searchPath, wantsColour } from './environment.js';
