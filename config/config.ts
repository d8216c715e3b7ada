import { existsSync } from 'node:fs';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { assistantDefaults, type AssistantDefaults } from './assistant-defaults.js';
import { DEFAULTS, DEFAULT_TASK_QUEUE, DEFAULT_TENANT, TENANT_PATTERN } from '../protocol/index.js';

export interface TemporalConfig {
  /** Address of the Temporal server, as `host:port`. */
  address: string;
  /** Whether the address was set. If so, `dev` uses the server at this address and starts none. */
  isGiven: boolean;
  namespace: string;
  taskQueue: string;
  apiKey?: string;
  /**
   * TLS options in the form of Temporal's clients. `true`: TLS with the root certificates of the
   * system.
   */
  tls?:
    | true
    | { serverNameOverride?: string; serverRootCACertificate?: Buffer; clientCertPair?: { crt: Buffer; key: Buffer } };
}

export interface MongoConfig {
  uri: string;
  isGiven: boolean;
  database: string;
}

export interface ApiConfig {
  host: string;
  port: number;
  /** Whether the port was set. If not, `port` is the default port. */
  isPortGiven: boolean;
  /** Largest request body, in bytes. */
  bodyLimitBytes: number;
  /**
   * Time between two comments in an event stream and between two pings of a WebSocket, in ms. They
   * show that the connection is alive.
   */
  heartbeatMs: number;
  /** Origins from which browsers may call the API. `*`: any origin. */
  corsOrigins: string[];
  /**
   * Values of the `Host` header that are accepted in addition to loopback hosts, in lower case.
   * Empty: every value is accepted.
   */
  allowedHosts: string[];
  /** Maximum number of simultaneous connections of one client address. 0: any number. */
  connectionsPerAddress: number;
  /** Interval at which an open stream checks again whether its client may read it, in ms. */
  accessCheckMs: number;
  /**
   * Whether to accept a caller that claims to be LangGraph Studio, even if the project has auth.
   * Nothing proves this claim.
   */
  acceptsStudio: boolean;
  /**
   * Whether to serve `POST /internal/truncate`. Test suites call it to delete all records of the
   * tenant.
   */
  testMode: boolean;
  /**
   * Whether to derive the schemas of graphs from the TypeScript types in their source files at
   * start-up, not at the first request for schemas.
   */
  readsSchemas: boolean;
}

export interface WorkerConfig {
  /** Maximum number of steps that one process runs at the same time. */
  maxConcurrentSteps: number;
  /**
   * Maximum number of conversation workflows that a worker keeps in memory. Temporal replays other
   * conversations from their history when they are needed.
   */
  maxCachedWorkflows: number;
  /**
   * After SIGTERM, the steps that are being executed have this time to reach their next commit, in
   * ms.
   */
  shutdownGraceMs: number;
  /** Port number of the health check (`GET /ok`). Absent: no health check. */
  healthPort?: number;
  /**
   * Maximum size of the cache in which a worker keeps the state of threads between steps, in bytes.
   */
  stateCacheBytes: number;
  /**
   * True if workflow histories contain previews of the questions that interrupts ask. Temporal's
   * Web UI shows these previews.
   */
  showsQuestions: boolean;
}

/** Limits of executors, the processes that run the code of graphs. */
export interface ExecutorConfig {
  /** Number of steps in an executor from which on another executor is started for its graph. */
  stepsPerExecutor: number;
  /** Number of executors that are kept ready for the next graph that needs one. */
  spares: number;
  /** Maximum size of the JavaScript heap of an executor, in bytes. */
  heapBytes: number;
  /**
   * Time in ms that the nodes of a step get to return after the step was given up. Then their
   * process is ended.
   */
  stopGraceMs: number;
  /** Whether new executors are started when a file of the project changes. */
  reloads: boolean;
}

export interface TelemetryConfig {
  /** Address of an OTLP receiver over HTTP. Absent: no telemetry is exported. */
  endpoint?: string;
  serviceName: string;
}

export interface EgressConfig {
  /**
   * Hosts, addresses and networks to which webhooks and other outgoing requests may be sent
   * although they are not public.
   */
  allow: string[];
  /**
   * Secrets that webhooks are signed with: `whsec_` and base64. There are several while a new
   * secret replaces an old one.
   */
  webhookSecrets: string[];
}

/** Access to LangSmith, which creates the URLs for feedback on runs. */
export interface LangSmithConfig {
  apiKey?: string;
  endpoint?: string;
}

/**
 * Rules by which older checkpoints of a thread are kept. A checkpoint is kept if `last` or
 * `lastOfRuns` selects it and it is not older than `maxAgeMs`. If neither `last` nor `lastOfRuns`
 * is set, all checkpoints up to that age are kept. The newest state of a thread is always kept.
 */
export interface CheckpointRetention {
  /** How many of the newest checkpoints of each thread are kept. */
  last?: number;
  /** Whether the last checkpoint of each run is kept. */
  lastOfRuns?: boolean;
  /** Maximum age of a checkpoint, in ms. Older checkpoints are deleted. */
  maxAgeMs?: number;
}

export interface LogConfig {
  level: 'debug' | 'info' | 'warn' | 'error';
  format: 'text' | 'json';
}

export interface Config {
  langsmith: LangSmithConfig;
  temporal: TemporalConfig;
  mongo: MongoConfig;
  api: ApiConfig;
  worker: WorkerConfig;
  executors: ExecutorConfig;
  /** Limits that API processes and workers both enforce. */
  limits: {
    /** Shortest interval of a new cron schedule, in seconds. */
    cronMinIntervalSeconds: number;
  };
  /**
   * Settings of new conversations. An existing conversation keeps the settings with which it was
   * started.
   */
  conversation: {
    queueLimit: number;
    keyWindow: number;
    maxTurns: number;
    maxSteps: number;
    joinQuickStepsMs: number;
  };
  retention: {
    eventsMs: number;
    /** Which checkpoints are kept. Absent: all. */
    checkpoints?: CheckpointRetention;
  };
  egress: EgressConfig;
  /**
   * Path of the project's langgraph.json: the file that `--config` or `COLLOQUY_CONFIG` names, else
   * the file in the current folder. Absent: the project that is shipped with Colloquy is used.
   */
  projectPath?: string;
  /**
   * Initial config and context of the system assistants, by graph id. Each graph has one such
   * assistant.
   */
  assistants: Record<string, AssistantDefaults>;
  /** Tenant of callers that do not name one. */
  tenant: string;
  telemetry: TelemetryConfig;
  log: LogConfig;
}

/** Reports all faults of a configuration in one message. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const count = (smallest: number) => z.coerce.number().int().min(smallest);
const port = z.coerce.number().int().min(0).max(65_535);
const yesOrNo = z.enum(['true', 'false', '1', '0']).transform((word) => word === 'true' || word === '1');
const ms = count(1);
/** Words separated by commas or spaces. */
const words = z
  .string()
  .default('')
  .transform((text) => text.split(/[\s,]+/).filter((word) => word !== ''));
/** The form of secrets in the Standard Webhooks specification: 24 to 64 bytes. */
const WEBHOOK_SECRET = /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/;

/** Every environment variable that is read, with its default. */
const environmentSchema = z.object({
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/:]+:\d+$|^\[.+\]:\d+$/, 'must be host:port')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: yesOrNo.optional(),
  TEMPORAL_TLS_SERVER_NAME: z.string().optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: z.string().optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: z.string().optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: z.string().optional(),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb:// or mongodb+srv://')
    .optional(),
  MONGODB_DATABASE: z
    .string()
    .regex(/^[^/\\. "$*<>:|?]{1,63}$/, 'is no name of a MongoDB database')
    .default('colloquy'),
  COLLOQUY_TASK_QUEUE: z.string().default(DEFAULT_TASK_QUEUE),
  COLLOQUY_TENANT: z.string().regex(TENANT_PATTERN, `must match ${TENANT_PATTERN}`).default(DEFAULT_TENANT),
  COLLOQUY_CONFIG: z.string().optional(),
  LANGGRAPH_CONFIG: assistantDefaults.default({}),
  COLLOQUY_HOST: z.string().default('127.0.0.1'),
  COLLOQUY_PORT: port.optional(),
  COLLOQUY_BODY_LIMIT_BYTES: count(1024).default(DEFAULTS.bodyLimitBytes),
  COLLOQUY_HEARTBEAT_MS: ms.default(DEFAULTS.heartbeatMs),
  COLLOQUY_CORS_ORIGINS: z.string().default('*'),
  COLLOQUY_ALLOWED_HOSTS: words,
  COLLOQUY_CONNECTIONS_PER_ADDRESS: count(0).default(DEFAULTS.connectionsPerAddress),
  COLLOQUY_ACCESS_CHECK_MS: ms.default(DEFAULTS.accessCheckMs),
  COLLOQUY_CRON_MIN_INTERVAL_SECONDS: count(1).default(DEFAULTS.cronMinIntervalSeconds),
  COLLOQUY_STUDIO_AUTH: yesOrNo.optional(),
  COLLOQUY_TEST_MODE: yesOrNo.optional(),
  COLLOQUY_READ_SCHEMAS: yesOrNo.optional(),
  COLLOQUY_MAX_CONCURRENT_STEPS: count(1).default(100),
  COLLOQUY_MAX_CACHED_WORKFLOWS: count(0).default(1_000),
  COLLOQUY_SHUTDOWN_GRACE_MS: ms.default(20_000),
  COLLOQUY_RELOAD: yesOrNo.optional(),
  COLLOQUY_STEPS_PER_EXECUTOR: count(1).default(DEFAULTS.executors.stepsPerExecutor),
  COLLOQUY_SPARE_EXECUTORS: count(0).default(DEFAULTS.executors.spares),
  COLLOQUY_EXECUTOR_MEMORY_MB: count(64).default(DEFAULTS.executors.memoryMb),
  COLLOQUY_STOP_GRACE_MS: ms.default(DEFAULTS.executors.stopGraceMs),
  COLLOQUY_STATE_CACHE_BYTES: count(0).default(DEFAULTS.stateCacheBytes),
  COLLOQUY_SHOW_QUESTIONS: yesOrNo.optional(),
  COLLOQUY_HEALTH_PORT: port.optional(),
  COLLOQUY_QUEUE_LIMIT: count(0).default(DEFAULTS.conversation.queueLimit),
  COLLOQUY_KEY_WINDOW: count(0).default(DEFAULTS.conversation.keyWindow),
  COLLOQUY_MAX_TURNS: count(0).default(DEFAULTS.conversation.maxTurns),
  COLLOQUY_MAX_STEPS: count(0).default(DEFAULTS.conversation.maxSteps),
  COLLOQUY_JOIN_QUICK_STEPS_MS: count(0).default(DEFAULTS.conversation.joinQuickStepsMs),
  COLLOQUY_EVENT_RETENTION_MS: ms.default(DEFAULTS.eventRetentionMs),
  COLLOQUY_KEEP_CHECKPOINTS: count(1).optional(),
  COLLOQUY_KEEP_CHECKPOINTS_OF_RUNS: yesOrNo.optional(),
  COLLOQUY_CHECKPOINT_RETENTION_MS: ms.optional(),
  COLLOQUY_EGRESS_ALLOW: words,
  COLLOQUY_WEBHOOK_SECRET: words.refine(
    (secrets) => secrets.every((secret) => WEBHOOK_SECRET.test(secret)),
    'must be whsec_ and the base64 of 24 to 64 bytes',
  ),
  LANGSMITH_API_KEY: z.string().optional(),
  LANGSMITH_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  COLLOQUY_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  COLLOQUY_LOG_FORMAT: z.enum(['text', 'json']).default('text'),
  OTEL_SERVICE_NAME: z.string().default('colloquy'),
});

type Environment = z.output<typeof environmentSchema>;
export type Variable = keyof Environment;
export const VARIABLES = Object.keys(environmentSchema.shape) as Variable[];

/**
 * Reads the configuration from the environment. A command-line flag takes precedence over its
 * variable. An empty variable counts as not set. Errors: {@link ConfigError}, which names every
 * fault.
 */
export function loadConfig(
  flags: Partial<Record<Variable, string | undefined>> = {},
  environment: Record<string, string | undefined> = process.env,
): Config {
  const given = Object.fromEntries(
    VARIABLES.map((name) => [name, flags[name] ?? (environment[name] === '' ? undefined : environment[name])]),
  );
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) throw new ConfigError(report(parsed.error.issues.map((issue) => fault(issue, given))));
  const faults: string[] = [];
  const config = toConfig(parsed.data, faults);
  if (faults.length > 0) throw new ConfigError(report(faults));
  return config;
}

/**
 * Reads `LANGGRAPH_CONFIG` from the environment that the project's langgraph.json sets. This
 * environment is known only after the project is loaded. Errors: {@link ConfigError}.
 */
export function assistantDefaultsOf({ LANGGRAPH_CONFIG: given }: NodeJS.Dict<string>): Config['assistants'] {
  if (given === undefined || given === '') return {};
  const parsed = assistantDefaults.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(report([`LANGGRAPH_CONFIG=${JSON.stringify(given)}: ${parsed.error.issues[0]?.message}`]));
}

function report(faults: string[]): string {
  return `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n  ${faults.join('\n  ')}`;
}

/**
 * Describes a fault: the variable, its value and the problem. A value that may be secret is not
 * shown.
 */
function fault(issue: z.core.$ZodIssue, given: Record<string, string | undefined>): string {
  const name = String(issue.path[0]);
  const value = /KEY|URI|SECRET/.test(name) ? '(not shown)' : JSON.stringify(given[name]);
  return `${name}=${value}: ${issue.message}`;
}

function toConfig(env: Environment, faults: string[]): Config {
  return {
    temporal: {
      address: env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233',
      isGiven: env.TEMPORAL_ADDRESS !== undefined,
      namespace: env.TEMPORAL_NAMESPACE,
      taskQueue: env.COLLOQUY_TASK_QUEUE,
      ...present({ apiKey: env.TEMPORAL_API_KEY, tls: toTls(env, faults) }),
    },
    mongo: {
      uri: env.MONGODB_URI ?? 'mongodb://127.0.0.1:27017/?directConnection=true',
      isGiven: env.MONGODB_URI !== undefined,
      database: env.MONGODB_DATABASE,
    },
    api: {
      host: env.COLLOQUY_HOST,
      port: env.COLLOQUY_PORT ?? 2024,
      isPortGiven: env.COLLOQUY_PORT !== undefined,
      bodyLimitBytes: env.COLLOQUY_BODY_LIMIT_BYTES,
      heartbeatMs: env.COLLOQUY_HEARTBEAT_MS,
      corsOrigins: env.COLLOQUY_CORS_ORIGINS.split(',').map((origin) => origin.trim()),
      allowedHosts: env.COLLOQUY_ALLOWED_HOSTS.map((host) => host.toLowerCase()),
      connectionsPerAddress: env.COLLOQUY_CONNECTIONS_PER_ADDRESS,
      accessCheckMs: env.COLLOQUY_ACCESS_CHECK_MS,
      acceptsStudio: env.COLLOQUY_STUDIO_AUTH ?? false,
      testMode: env.COLLOQUY_TEST_MODE ?? false,
      readsSchemas: env.COLLOQUY_READ_SCHEMAS ?? false,
    },
    executors: {
      stepsPerExecutor: env.COLLOQUY_STEPS_PER_EXECUTOR,
      spares: env.COLLOQUY_SPARE_EXECUTORS,
      heapBytes: env.COLLOQUY_EXECUTOR_MEMORY_MB * 2 ** 20,
      stopGraceMs: env.COLLOQUY_STOP_GRACE_MS,
      reloads: env.COLLOQUY_RELOAD ?? false,
    },
    worker: {
      maxConcurrentSteps: env.COLLOQUY_MAX_CONCURRENT_STEPS,
      maxCachedWorkflows: env.COLLOQUY_MAX_CACHED_WORKFLOWS,
      shutdownGraceMs: env.COLLOQUY_SHUTDOWN_GRACE_MS,
      ...present({ healthPort: env.COLLOQUY_HEALTH_PORT }),
      stateCacheBytes: env.COLLOQUY_STATE_CACHE_BYTES,
      showsQuestions: env.COLLOQUY_SHOW_QUESTIONS ?? false,
    },
    limits: { cronMinIntervalSeconds: env.COLLOQUY_CRON_MIN_INTERVAL_SECONDS },
    conversation: {
      queueLimit: env.COLLOQUY_QUEUE_LIMIT,
      keyWindow: env.COLLOQUY_KEY_WINDOW,
      maxTurns: env.COLLOQUY_MAX_TURNS,
      maxSteps: env.COLLOQUY_MAX_STEPS,
      joinQuickStepsMs: env.COLLOQUY_JOIN_QUICK_STEPS_MS,
    },
    retention: { eventsMs: env.COLLOQUY_EVENT_RETENTION_MS, ...present({ checkpoints: toCheckpoints(env) }) },
    egress: { allow: env.COLLOQUY_EGRESS_ALLOW, webhookSecrets: env.COLLOQUY_WEBHOOK_SECRET },
    assistants: env.LANGGRAPH_CONFIG,
    langsmith: present({ apiKey: env.LANGSMITH_API_KEY, endpoint: env.LANGSMITH_ENDPOINT }),
    tenant: env.COLLOQUY_TENANT,
    log: { level: env.COLLOQUY_LOG_LEVEL, format: env.COLLOQUY_LOG_FORMAT },
    telemetry: { serviceName: env.OTEL_SERVICE_NAME, ...present({ endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT }) },
    ...present({ projectPath: projectPath(env.COLLOQUY_CONFIG) }),
  };
}

function toCheckpoints(env: Environment): CheckpointRetention | undefined {
  const kept = present({
    last: env.COLLOQUY_KEEP_CHECKPOINTS,
    lastOfRuns: env.COLLOQUY_KEEP_CHECKPOINTS_OF_RUNS || undefined,
    maxAgeMs: env.COLLOQUY_CHECKPOINT_RETENTION_MS,
  });
  return Object.keys(kept).length > 0 ? kept : undefined;
}

function toTls(env: Environment, faults: string[]): TemporalConfig['tls'] {
  const [crt, key] = [env.TEMPORAL_TLS_CLIENT_CERT_PATH, env.TEMPORAL_TLS_CLIENT_KEY_PATH];
  if ((crt === undefined) !== (key === undefined)) {
    faults.push('TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH must be set together');
    return undefined;
  }
  if (env.TEMPORAL_TLS === false) return undefined;
  const details = present({
    serverNameOverride: env.TEMPORAL_TLS_SERVER_NAME,
    serverRootCACertificate: readSecret('TEMPORAL_TLS_SERVER_CA_CERT_PATH', env, faults),
    clientCertPair:
      crt === undefined
        ? undefined
        : {
            crt: readSecret('TEMPORAL_TLS_CLIENT_CERT_PATH', env, faults) ?? Buffer.of(),
            key: readSecret('TEMPORAL_TLS_CLIENT_KEY_PATH', env, faults) ?? Buffer.of(),
          },
  });
  if (Object.keys(details).length > 0) return details;
  return env.TEMPORAL_TLS === true || env.TEMPORAL_API_KEY !== undefined ? true : undefined;
}

function readSecret(
  name: 'TEMPORAL_TLS_SERVER_CA_CERT_PATH' | 'TEMPORAL_TLS_CLIENT_CERT_PATH' | 'TEMPORAL_TLS_CLIENT_KEY_PATH',
  env: Environment,
  faults: string[],
): Buffer | undefined {
  const path = env[name];
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    faults.push(`${name}=${JSON.stringify(path)}: ${(error as Error).message}`);
    return undefined;
  }
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Removes keys whose value is undefined. */
function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}

/**
 * Returns the path of the project's langgraph.json. If `named` is set, this is `named`, even if
 * that file does not exist. Otherwise it is the langgraph.json in the current folder. If the
 * current folder has none, returns undefined, and the project that is shipped with Colloquy is
 * used.
 */
function projectPath(named: string | undefined): string | undefined {
  if (named !== undefined) return resolve(named);
  return existsSync('langgraph.json') ? resolve('langgraph.json') : undefined;
}
