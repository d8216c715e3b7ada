/** The environment and the flags, read once into one typed value. Knows no room that uses it; composition roots alone import it. */
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
