import type { CommandHelp, Flag } from './flags.js';

const temporalFlags: Record<string, Flag> = {
  'temporal-address': { value: 'HOST:PORT', help: 'Temporal server', variable: 'TEMPORAL_ADDRESS' },
  namespace: { value: 'NAME', help: 'Temporal namespace', variable: 'TEMPORAL_NAMESPACE' },
  'task-queue': { value: 'NAME', help: 'Temporal task queue', variable: 'COLLOQUY_TASK_QUEUE' },
};
const mongoFlags: Record<string, Flag> = {
  'mongodb-uri': { value: 'URI', help: 'MongoDB replica set', variable: 'MONGODB_URI' },
  database: { value: 'NAME', help: 'MongoDB database', variable: 'MONGODB_DATABASE' },
};
const config: Flag = {
  value: 'FILE',
  short: 'c',
  help: 'langgraph.json of your project; default ./langgraph.json, else the shipped assistant',
  variable: 'COLLOQUY_CONFIG',
};
const tenant: Flag = { value: 'NAME', help: 'Tenant of requests that name none', variable: 'COLLOQUY_TENANT' };

/** All commands with their flags. Help, parser and tests read this table. */
export const COMMANDS = {
  dev: {
    name: 'dev',
    summary: 'Run everything on this machine: Temporal, a MongoDB server, workers and the API.',
    flags: {
      config,
      port: {
        value: 'PORT',
        short: 'p',
        help: 'Port of the API; 0: a free port; default 2024 or the last port used',
        variable: 'COLLOQUY_PORT',
      },
      host: {
        value: 'HOST',
        help: 'Address the API listens on; default 127.0.0.1, which only this machine can reach',
        variable: 'COLLOQUY_HOST',
      },
      open: {
        help:
          'Allow a host that other machines can reach although the project has no auth: ' +
          'anyone who can reach this machine can then read and start conversations',
      },
      workers: { value: 'N', help: 'Worker processes; default 1' },
      'temporal-port': { value: 'PORT', help: 'Port of the embedded Temporal; 0: a free port; default 7233' },
      'ui-port': { value: 'PORT', help: 'Port of the Temporal Web UI; 0: a free port; default 8233' },
      'mongodb-port': { value: 'PORT', help: 'Port of the embedded database; 0: a free port; default 27017' },
      'data-dir': { value: 'FOLDER', help: 'Folder for conversations and logs; default .colloquy' },
      'tools-dir': { value: 'FOLDER', help: 'Folder for downloaded servers; default: the data folder' },
      ...temporalFlags,
      ...mongoFlags,
      tenant,
      chat: { help: 'Open a chat if this is a terminal' },
      'no-chat': { help: 'Open no chat, even with --chat' },
    },
    notes: [
      'If a flag or variable gives the address of Temporal or MongoDB, that server is used and none is started.',
      'Ctrl-C stops everything; a second Ctrl-C exits at once.',
    ],
  },
  api: {
    name: 'api',
    summary: 'Run one API process: the LangGraph Agent Server API over HTTP.',
    flags: {
      port: { value: 'PORT', short: 'p', help: 'Port; 0: a free port; default 2024', variable: 'COLLOQUY_PORT' },
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
    notes: ['On SIGTERM, running steps continue to their next commit before the process ends.'],
  },
  'import-checkpoints': {
    name: 'import-checkpoints',
    summary: 'Import threads that LangGraph’s own MongoDB saver has written.',
    flags: {
      'source-uri': { value: 'URI', help: 'MongoDB to import from; default: the one to import into' },
      'source-database': { value: 'NAME', help: 'Database to import from; required' },
      'source-checkpoints': { value: 'NAME', help: 'Collection of checkpoints; default checkpoints' },
      'source-writes': { value: 'NAME', help: 'Collection of pending writes; default checkpoint_writes' },
      assistant: { value: 'NAME', short: 'a', help: 'Graph or assistant id for the imported threads; required' },
      config,
      ...mongoFlags,
      tenant,
    },
    notes: [
      'The source is not changed. Run an interrupted import again: it skips threads that already exist.',
      'Run one import at a time, while nothing writes to the source.',
      'A thread id that is not a UUID is replaced by one; metadata keeps it as source_thread_id.',
      'Exit code 1: some threads were refused; each is printed with the reason.',
    ],
  },
  chat: {
    name: 'chat',
    summary: 'Talk to an assistant in the terminal.',
    flags: {
      url: { value: 'URL', short: 'u', help: 'The API; default http://127.0.0.1:2024' },
      assistant: { value: 'NAME', short: 'a', help: 'Assistant or graph; default: the first one' },
      thread: { value: 'ID', short: 't', help: 'Continue this conversation; the start of its id is enough' },
    },
    notes: ['Inside: /threads, /open ID, /new, /help, /quit. Ctrl-C stops the answer that is being printed.'],
  },
} satisfies Record<string, CommandHelp>;

export type CommandName = keyof typeof COMMANDS;
