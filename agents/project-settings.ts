import { resolve } from 'node:path';
import { z } from 'zod';
import { ColloquyError, MAX_TTL_MINUTES } from '../protocol/index.js';

/** An export of a module. A project file names it as `<file>:<export>`. */
export interface ModuleExport {
  /** The name as written in the project file. */
  path: string;
  /** Absolute path of the module. */
  file: string;
  exportName: string;
}

/** The settings of a `langgraph.json` that are about the server and not about the graphs. */
export interface ProjectSettings {
  store: {
    /** Time to live of new store items, in minutes. */
    defaultTtl?: number;
    refreshOnRead?: boolean;
    index?: { embed: ModuleExport; dims: number; fields: string[] };
  };
  /** Time to live of new threads. If absent, threads do not expire. */
  threadTtl?: { strategy: 'delete' | 'keep_latest'; minutes: number };
  /** Minutes between two sweeps. A sweep deletes expired threads. */
  sweepMinutes?: number;
  http: HttpSettings;
  auth?: { module: ModuleExport; disableStudioAuth: boolean };
}

export interface HttpSettings {
  app?: ModuleExport;
  /** Groups of API routes that are not served. */
  disabled: ('assistants' | 'threads' | 'runs' | 'store' | 'meta')[];
  cors?: CorsSettings;
}

export interface CorsSettings {
  origins?: string[];
  originPattern?: string;
  methods?: string[];
  headers?: string[];
  exposed?: string[];
  credentials?: boolean;
  /** How long a browser may cache the answer to a CORS preflight request, in seconds. */
  maxAge?: number;
}

const words = z.array(z.string()).nullish();
const flag = z.boolean().nullish();
const SETTINGS = ['store', 'checkpointer', 'http', 'auth'] as const;
const GROUPS = ['assistants', 'threads', 'runs', 'store', 'meta'] as const;

/** Longest time between two sweeps, in minutes. Node.js limits timers to 2^31 ms. */
const MAX_SWEEP_MINUTES = 30_000;

const schema = z.object({
  store: z
    .object({
      ttl: z
        .object({
          default_ttl: z.number().positive().max(MAX_TTL_MINUTES).nullish(),
          refresh_on_read: flag,
          sweep_interval_minutes: z.number().positive().nullish(),
        })
        .nullish(),
      index: z
        .object({
          embed: z.string().nullish(),
          dims: z.int().positive().nullish(),
          fields: z.array(z.string()).nullish(),
        })
        .refine(({ embed, dims }) => !embed || dims, 'embed needs dims, the length of its vectors')
        .nullish(),
    })
    .nullish(),
  checkpointer: z
    .object({
      // An unknown field is refused. If a misspelt limit were ignored, data would be kept forever.
      ttl: z
        .strictObject({
          strategy: z.enum(['delete', 'keep_latest']).nullish(),
          default_ttl: z.number().positive().max(MAX_TTL_MINUTES).nullish(),
          sweep_interval_minutes: z.number().positive().max(MAX_SWEEP_MINUTES).nullish(),
        })
        .nullish(),
    })
    .nullish(),
  http: z
    .object({
      app: z.string().nullish(),
      disable_assistants: flag,
      disable_threads: flag,
      disable_runs: flag,
      disable_store: flag,
      disable_meta: flag,
      // Accepted, but without effect: the project's auth always applies to all routes of the
      // project's app, as in LangGraph's JavaScript server.
      enable_custom_route_auth: flag,
      cors: z
        .object({
          allow_origins: words,
          allow_origin_regex: z.string().refine(isPattern, 'is no regular expression').nullish(),
          allow_methods: words,
          allow_headers: words,
          expose_headers: words,
          allow_credentials: flag,
          max_age: z.number().nonnegative().nullish(),
        })
        .nullish(),
    })
    .nullish(),
  auth: z.object({ path: z.string().nullish(), disable_studio_auth: flag }).nullish(),
});

/**
 * Reads the settings of a project file. Errors: `invalid_argument`, whose message lists all faults;
 * `unsupported` if the embedder is named by its provider and not by a module of the project.
 */
export function parseSettings(path: string, folder: string, json: Record<string, unknown>): ProjectSettings {
  const parsed = schema.safeParse(Object.fromEntries(SETTINGS.map((name) => [name, json[name]])));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ColloquyError('invalid_argument', `${path}: ${faults.join('; ')}`, {
      field: parsed.error.issues[0]?.path.join('.') ?? 'langgraph.json',
    });
  }
  const { store, checkpointer, http, auth } = parsed.data;
  const ttl = checkpointer?.ttl;
  const at = (field: string, text: string) => parseModuleExport(path, folder, field, text);
  return {
    store: parseStore(path, at, store),
    ...(ttl?.default_ttl && { threadTtl: { strategy: ttl.strategy ?? 'delete', minutes: ttl.default_ttl } }),
    ...(ttl?.sweep_interval_minutes && { sweepMinutes: ttl.sweep_interval_minutes }),
    http: {
      disabled: GROUPS.filter((group) => http?.[`disable_${group}`] === true),
      ...(http?.app && { app: at('http.app', http.app) }),
      ...(http?.cors && { cors: toCors(http.cors) }),
    },
    ...(auth?.path && {
      auth: { module: at('auth.path', auth.path), disableStudioAuth: auth.disable_studio_auth ?? false },
    }),
  };
}

/**
 * Returns the unknown fields inside of `store`, `checkpointer`, `http` and `auth`, such as
 * `http.port`.
 */
export function unknownSettings(json: Record<string, unknown>): string[] {
  return SETTINGS.flatMap((name) => {
    const known = schema.shape[name].unwrap().unwrap().shape;
    return Object.keys((json[name] ?? {}) as object)
      .filter((field) => !(field in known))
      .map((field) => `${name}.${field}`);
  });
}

type Parsed = z.infer<typeof schema>;

function parseStore(
  path: string,
  at: (field: string, text: string) => ModuleExport,
  store: Parsed['store'],
): ProjectSettings['store'] {
  const { ttl, index } = store ?? {};
  const { embed, dims } = index ?? {};
  if (embed && isProvider(embed)) {
    throw new ColloquyError(
      'unsupported',
      `${path}: store.index.embed: ${embed} is not served by name; export its Embeddings from a module and name that: "./embed.ts:embeddings"`,
      { field: 'store.index.embed' },
    );
  }
  return {
    ...(ttl?.default_ttl && { defaultTtl: ttl.default_ttl }),
    ...(typeof ttl?.refresh_on_read === 'boolean' && { refreshOnRead: ttl.refresh_on_read }),
    ...(embed &&
      dims && {
        index: { embed: at('store.index.embed', embed), dims, fields: index?.fields ?? ['$'] },
      }),
  };
}

/**
 * Returns true if the name of an embedder is a provider and its model, such as
 * `openai:text-embedding-3-small`, and not a file.
 */
function isProvider(text: string): boolean {
  return !/[./\\]/.test(text.slice(0, text.lastIndexOf(':')));
}

function toCors(cors: NonNullable<NonNullable<Parsed['http']>['cors']>): CorsSettings {
  return {
    ...(cors.allow_origins && { origins: cors.allow_origins }),
    ...(cors.allow_origin_regex && { originPattern: cors.allow_origin_regex }),
    ...(cors.allow_methods && { methods: cors.allow_methods }),
    ...(cors.allow_headers && { headers: cors.allow_headers }),
    ...(cors.expose_headers && { exposed: cors.expose_headers }),
    ...(typeof cors.allow_credentials === 'boolean' && { credentials: cors.allow_credentials }),
    ...(typeof cors.max_age === 'number' && { maxAge: cors.max_age }),
  };
}

function parseModuleExport(project: string, folder: string, field: string, text: string): ModuleExport {
  // The last colon separates file and export, because a Windows path has a colon after its drive
  // letter.
  const colon = /:[\w$]*$/.exec(text)?.index ?? text.length;
  if (colon === 0) {
    throw new ColloquyError('invalid_argument', `${project}: ${field}: expected "<file>:<export>", found "${text}"`, {
      field,
    });
  }
  return { path: text, file: resolve(folder, text.slice(0, colon)), exportName: text.slice(colon + 1) || 'default' };
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
