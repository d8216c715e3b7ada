/**
 * Reads environment and flags once into one typed value. Does not know the rooms that use this
 * value; only composition roots import this room.
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
