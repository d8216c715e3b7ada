import type { CommandHelp, Flag } from './flags.js';

const temporalFlags: Record<string, Flag> = {
  'temporal-address': { value: 'HOST:PORT', help: 'Temporal server', variable: 'TEMPORAL_ADDRESS' },
  namespace: { value: 'NAME', help: 'Temporal namespace', variable: 'TEMPORAL_NAMESPACE' },
  'task-queue': { value: 'NAME', help: 'Temporal task queue', variable: 'COLLOQUY_TASK_QUEUE' },
};
const mongoFlags: Record<string, Flag> = {
  'mongodb-uri': { value: 'URI', help: 'MongoDB replica set', variable: 'MONGODB_URI' },
  database: { value: 'NAME', help: 'Its database', variable: 'MONGODB_DATABASE' },
};
const config: Flag = {
  value: 'FILE',
  short: 'c',
  help: 'langgraph.json of your project; default ./langgraph.json, else the shipped assistant',
  variable: 'COLLOQUY_CONFIG',
};
const tenant: Flag = { value: 'NAME', help: 'Tenant of callers that name none', variable: 'COLLOQUY_TENANT' };

/** Every command with its flags; the list that help, parser and tests read. */
export const COMMANDS = {
  dev: {
    name: 'dev',
    summary: 'Run everything on this machine: Temporal, a MongoDB wire server, workers and the API.',
    flags: {
      config: {
        ...config,
        help: 'langgraph.json of your project; default ./langgraph.json, else the shipped assistant',
      },
      port: {
        value: 'PORT',
        short: 'p',
        help: 'Port of the API; 0: a free one; default 2024 or the last one used',
        variable: 'COLLOQUY_PORT',
      },
      host: {
        value: 'HOST',
        help: 'Address that the API listens on; default 127.0.0.1, which only this machine reaches',
        variable: 'COLLOQUY_HOST',
      },
      open: {
        help:
          'Allow a host that others reach for a project without auth: the API asks nobody who they are; ' +
          'whoever reaches this machine reads and starts conversations',
      },
      workers: { value: 'N', help: 'Worker processes; default 1' },
      'temporal-port': { value: 'PORT', help: 'Port of the embedded Temporal; 0: a free one; default 7233' },
      'ui-port': { value: 'PORT', help: 'Port of its Web UI; 0: a free one; default 8233' },
      'mongodb-port': { value: 'PORT', help: 'Port of the embedded database; 0: a free one; default 27017' },
      'data-dir': { value: 'FOLDER', help: 'Where conversations and logs are kept; default .colloquy' },
      'tools-dir': { value: 'FOLDER', help: 'Where downloaded servers are kept; default: the data directory' },
      ...temporalFlags,
      ...mongoFlags,
      tenant,
      chat: { help: 'Open a chat when this is a terminal' },
      'no-chat': { help: 'Open none, whatever else is said' },
    },
    notes: [
      'With an address of Temporal or MongoDB, by flag or variable, that server is used and none is started.',
      'Ctrl-C stops everything; a second one does so at once.',
    ],
  },
  api: {
    name: 'api',
    summary: 'Run one API process: the LangGraph Agent Server API over HTTP.',
    flags: {
      port: { value: 'PORT', short: 'p', help: 'Port; 0: a free one; default 2024', variable: 'COLLOQUY_PORT' },
      host: { value: 'HOST', help: 'Address to listen on; default 127.0.0.1', variable: 'COLLOQUY_HOST' },
      config,
      ...temporalFlags,
      ...mongoFlags,
      tenant,
    },
  },
  worker: {
    name: 'worker',
    summary: 'Run one worker process: conversations and the steps of their graphs.',
    flags: {
      config,
      'health-port': { value: 'PORT', help: 'Answer GET /ok on this port', variable: 'COLLOQUY_HEALTH_PORT' },
      ...temporalFlags,
      ...mongoFlags,
      tenant,
    },
    notes: ['SIGTERM lets running steps reach their next commit, then ends.'],
  },
  'import-checkpoints': {
    name: 'import-checkpoints',
    summary: 'Take over threads that LangGraph’s own saver for MongoDB has written.',
    flags: {
      'source-uri': { value: 'URI', help: 'MongoDB that has them; default: the one that they go to' },
      'source-database': { value: 'NAME', help: 'Its database; needed' },
      'source-checkpoints': { value: 'NAME', help: 'Collection of checkpoints; default checkpoints' },
      'source-writes': { value: 'NAME', help: 'Collection of pending writes; default checkpoint_writes' },
      assistant: { value: 'NAME', short: 'a', help: 'Graph, or id of the assistant, that they are bound to; needed' },
      config,
      ...mongoFlags,
      tenant,
    },
    notes: [
      'The source is only read. Run it again to go on where it was cut off: threads that are there are left as they are.',
      'Run one at a time, while nobody writes to the source. A thread id that is no UUID becomes one, and stays in its metadata as source_thread_id.',
      'Exit code 1: some threads were refused; each is named with the reason.',
    ],
  },
  chat: {
    name: 'chat',
    summary: 'Talk to an assistant in the terminal.',
    flags: {
      url: { value: 'URL', short: 'u', help: 'The API; default http://127.0.0.1:2024' },
      assistant: { value: 'NAME', short: 'a', help: 'Assistant or graph; default: the first one' },
      thread: { value: 'ID', short: 't', help: 'Go on with this conversation; the start of its id is enough' },
    },
    notes: ['Inside: /threads, /open ID, /new, /help, /quit. Ctrl-C stops the answer that is being written.'],
  },
} satisfies Record<string, CommandHelp>;

export type CommandName = keyof typeof COMMANDS;
