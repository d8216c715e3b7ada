import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig, searchPath } from '../../config/index.js';
import type { Config } from '../../config/index.js';
import { PortBook, claimDataFolder, freePort, startServers, writePrivateFile } from '../../servers/index.js';
import type { Server, Servers } from '../../servers/index.js';
import { numberFlag } from '../flags.js';
import type { ParsedFlags } from '../flags.js';
import { packageVersion } from '../package.js';
import { exposureVariables, checkExposure } from './exposure.js';
import type { Exposure } from './exposure.js';
import { localApiUrl, startReport } from './start-report.js';
import { supervise } from './supervise.js';
import type { Supervised } from './supervise.js';

const INTERRUPTED_EXIT = 130;

interface DevOptions {
  config: Config;
  exposure: Exposure;
  flags: ParsedFlags;
  dataDir: string;
  workers: number;
  requestedApiPort: number | undefined;
}

/** Everything that `colloquy dev` runs. */
interface Stack {
  servers: Servers;
  processes: Supervised[];
  apiPort: number;
}

/** Runs servers, workers and the API until Ctrl-C or the end of the chat. */
export async function runDev(flags: ParsedFlags): Promise<number> {
  const options = await readOptions(flags);
  const stopRequested = onStopSignals();
  const startedAt = Date.now();
  print(`Colloquy ${await packageVersion()}`);
  prepareDataDir(options.dataDir);
  const stack = await Promise.race([startStack(options), stopRequested.then(() => undefined)]);
  // A stop was requested during the start. The servers and processes that were started so far end
  // with this process.
  if (stack === undefined) process.exit(INTERRUPTED_EXIT);
  try {
    print(describeStart(options, stack, Date.now() - startedAt));
    const url = localApiUrl(options.exposure, stack.apiPort);
    await Promise.race([stopRequested, ...(wantsChat(flags) ? [chat(url, stopRequested)] : [])]);
  } finally {
    print('stopping ...');
    await stopStack(stack);
    print('stopped; conversations are kept');
  }
  return 0;
}

async function readOptions(flags: ParsedFlags): Promise<DevOptions> {
  const config = loadConfig(flags.variables);
  return {
    config,
    exposure: await checkExposure(config, flags.switches.has('open')),
    flags,
    dataDir: resolve(flags.text['data-dir'] ?? '.colloquy'),
    workers: numberFlag(flags, 'workers', 1, 64) ?? 1,
    requestedApiPort: config.api.isPortGiven ? config.api.port : undefined,
  };
}

async function startStack(options: DevOptions): Promise<Stack> {
  const { config, flags, dataDir } = options;
  const servers = await startServers({
    dataDir,
    searchPath: searchPath(),
    onProgress: printStep,
    ...optional('toolsDir', flags.text['tools-dir']),
    ...optional('temporalPort', numberFlag(flags, 'temporal-port')),
    ...optional('uiPort', numberFlag(flags, 'ui-port')),
    ...optional('mongodbPort', numberFlag(flags, 'mongodb-port')),
    ...optional('temporalAddress', config.temporal.isGiven ? config.temporal.address : undefined),
    ...optional('mongodbUri', config.mongo.isGiven ? config.mongo.uri : undefined),
  });
  restartOnCrash('Temporal', servers.temporal);
  restartOnCrash('MongoDB', servers.mongodb);
  const processes: Supervised[] = [];
  try {
    const port = await chooseApiPort(options);
    const start = (name: string, args: string[], variables = {}) =>
      processes.push(startProcess(options, servers, { name, args, variables }));
    for (let n = 1; n <= options.workers; n += 1) start(`worker ${n}`, ['worker']);
    start('API', ['api', '--port', String(port)], exposureVariables(options.exposure));
    printStep(`starting ${options.workers === 1 ? 'a worker' : `${options.workers} workers`} and the API`);
    await Promise.all(processes.map((process) => process.ready));
    return { servers, processes, apiPort: port };
  } catch (error) {
    await Promise.all(processes.map((process) => process.stop()));
    await servers.stop();
    throw error;
  }
}

function chooseApiPort({ config, dataDir, requestedApiPort }: DevOptions): Promise<number> {
  if (requestedApiPort === 0) return freePort(config.api.host);
  return new PortBook(join(dataDir, 'ports.json')).choose('api', requestedApiPort, config.api.host);
}

interface ProcessStart {
  name: string;
  args: string[];
  variables: Record<string, string>;
}

function startProcess(options: DevOptions, servers: Servers, { name, args, variables }: ProcessStart): Supervised {
  const { config, flags, dataDir } = options;
  return supervise({
    name,
    args,
    environment: {
      ...flags.variables,
      TEMPORAL_ADDRESS: servers.temporal.address,
      MONGODB_URI: servers.mongodb.address,
      // Switches health checks off, because all processes have this environment, and only one
      // process can listen on a port number.
      COLLOQUY_HEALTH_PORT: '',
      COLLOQUY_READ_SCHEMAS: 'true',
      COLLOQUY_RELOAD: 'true',
      ...variables,
      ...optional('COLLOQUY_CONFIG', config.projectPath),
    },
    logFile: join(dataDir, 'logs', `${name.toLowerCase().replace(' ', '-')}.log`),
    onProgress: printStep,
  });
}

/**
 * Restarts a server whenever it crashes, with the same port number and data. Does so only if this
 * command has started the server. The clients of the server reconnect by themselves.
 */
function restartOnCrash(name: string, server: Server): void {
  server.process?.onCrash((ending) => {
    printStep(`${name} ended (${ending}); restarting it`);
    server.process?.restart().then(
      () => printStep(`${name} is back`),
      (error: Error) => printStep(`${name} could not be restarted: ${error.message}`),
    );
  });
}

async function stopStack({ processes, servers }: Stack): Promise<void> {
  await Promise.all(processes.map((process) => process.stop()));
  await servers.stop();
}

/**
 * Creates the data folder and keeps it out of Git, because the folder may be inside a project's
 * repository.
 */
function prepareDataDir(dataDir: string): void {
  claimDataFolder(dataDir);
  const ignoreFile = join(dataDir, '.gitignore');
  if (!existsSync(ignoreFile)) writePrivateFile(ignoreFile, '*\n');
}

function describeStart(options: DevOptions, { servers, apiPort }: Stack, tookMs: number): string {
  const { config, exposure, dataDir, requestedApiPort } = options;
  const project = optional('projectPath', config.projectPath);
  const isPortRequested = requestedApiPort !== undefined;
  return startReport({ exposure, apiPort, isPortRequested, servers, ...project, dataDir, tookMs });
}

/**
 * Resolves at the first signal to stop. At a second signal this process exits at once. The servers
 * then end too, because each of them has a reaper: a small process that ends the server when this
 * process is gone.
 */
function onStopSignals(): Promise<void> {
  return new Promise((resolve) => {
    let isRequested = false;
    const onSignal = () => {
      if (isRequested) process.exit(INTERRUPTED_EXIT);
      isRequested = true;
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  });
}

function wantsChat({ switches }: ParsedFlags): boolean {
  return switches.has('chat') && !switches.has('no-chat') && process.stdin.isTTY;
}

async function chat(url: string, stopRequested: Promise<void>): Promise<void> {
  const { chatOnTerminal } = await import('../chat/chat.js');
  await chatOnTerminal({ url, stopRequested });
}

/** Returns an object with one property, or an empty object if the value is undefined. */
function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function print(line: string): void {
  console.log(line);
}

function printStep(line: string): void {
  console.log(`  ${line}`);
}
