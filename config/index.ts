/**
 * Reads environment and flags once into one typed value. Knows no room that uses it; only
 * composition roots import it.
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
