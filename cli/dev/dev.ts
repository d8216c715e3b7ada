import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig, searchPath } from '../../config/index.js';
import type { Config } from '../../config/index.js';
import { claimDataFolder } from '../../servers/data-folder.js';
import { exposureVariables, checkExposure } from './exposure.js';
import type { Exposure } from './exposure.js';
import { numberFlag } from '../flags.js';
import type { ParsedFlags } from '../flags.js';
import { packageVersion } from '../package.js';
import { PortBook, freePort } from '../../servers/ports.js';
import { writePrivateFile } from '../../servers/private-files.js';
import { localApiUrl, startReport } from './report.js';
import type { Server } from '../../servers/server.js';
import { startServers } from '../../servers/embedded-servers.js';
import type { Servers } from '../../servers/embedded-servers.js';
import { supervise } from './supervisor.js';
import type { Supervised } from './supervisor.js';

interface DevOptions {
  config: Config;
  exposure: Exposure;
  flags: ParsedFlags;
  dataDir: string;
  workers: number;
  apiPort: number | undefined;
}

interface House {
  servers: Servers;
  processes: Supervised[];
  apiPort: number;
}

/** Runs the whole house until Ctrl-C, or the end of the chat. */
export async function runDev(flags: ParsedFlags): Promise<number> {
  const options = await readOptions(flags);
  const stopAsked = onStopSignals();
  const startedAt = Date.now();
  say(`Colloquy ${await packageVersion()}`);
  prepareDataDir(options.dataDir);
  const house = await Promise.race([build(options), stopAsked.then(() => undefined)]);
  // Asked to stop while starting: whatever runs already ends with us, by its reaper or its channel.
  if (house === undefined) process.exit(130);
  try {
    report(options, house, Date.now() - startedAt);
    const url = localApiUrl(options.exposure, house.apiPort);
    await Promise.race([stopAsked, ...(wantsChat(flags) ? [chat(url, stopAsked)] : [])]);
  } finally {
    say('stopping ...');
    await dismantle(house);
    say('stopped; conversations are kept');
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
    apiPort: config.api.isPortGiven ? config.api.port : undefined,
  };
}

async function build(options: DevOptions): Promise<House> {
  const { config, flags, dataDir } = options;
  const servers = await startServers({
    dataDir,
    searchPath: searchPath(),
    onProgress: step,
    ...given('toolsDir', flags.text['tools-dir']),
    ...given('temporalPort', numberFlag(flags, 'temporal-port')),
    ...given('uiPort', numberFlag(flags, 'ui-port')),
    ...given('mongodbPort', numberFlag(flags, 'mongodb-port')),
    ...given('temporalAddress', config.temporal.isGiven ? config.temporal.address : undefined),
    ...given('mongodbUri', config.mongo.isGiven ? config.mongo.uri : undefined),
  });
  keepServing('Temporal', servers.temporal);
  keepServing('MongoDB', servers.mongodb);
  const processes: Supervised[] = [];
  try {
    const port = await choosePort(options);
    const start = (name: string, args: string[], variables = {}) =>
      processes.push(startProcess(options, servers, { name, args, variables }));
    for (let n = 1; n <= options.workers; n += 1) start(`worker ${n}`, ['worker']);
    start('API', ['api', '--port', String(port)], exposureVariables(options.exposure));
    step(`starting ${options.workers === 1 ? 'a worker' : `${options.workers} workers`} and the API`);
    await Promise.all(processes.map((process) => process.ready));
    return { servers, processes, apiPort: port };
  } catch (error) {
    await Promise.all(processes.map((process) => process.stop()));
    await servers.stop();
    throw error;
  }
}

function choosePort({ config, dataDir, apiPort }: DevOptions): Promise<number> {
  if (apiPort === 0) return freePort(config.api.host);
  return new PortBook(join(dataDir, 'ports.json')).choose('api', apiPort, config.api.host);
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
      // One port cannot serve several processes.
      COLLOQUY_HEALTH_PORT: '',
      COLLOQUY_READ_SCHEMAS: 'true',
      ...variables,
      ...given('COLLOQUY_CONFIG', config.projectPath),
    },
    logFile: join(dataDir, 'logs', `${name.toLowerCase().replace(' ', '-')}.log`),
    onProgress: step,
  });
}

/** An embedded server that crashes is started again on its port and data; clients reconnect by themselves. */
function keepServing(name: string, server: Server): void {
  server.process?.onCrash((ending) => {
    step(`${name} ended (${ending}); starting it again`);
    server.process?.restart().then(
      () => step(`${name} is back`),
      (error: Error) => step(`${name} could not be started again: ${error.message}`),
    );
  });
}

async function dismantle({ processes, servers }: House): Promise<void> {
  await Promise.all(processes.map((process) => process.stop()));
  await servers.stop();
}

/** A data directory in somebody's project must not end up in its repository. */
function prepareDataDir(dataDir: string): void {
  claimDataFolder(dataDir);
  const ignore = join(dataDir, '.gitignore');
  if (!existsSync(ignore)) writePrivateFile(ignore, '*\n');
}

function report({ config, exposure, dataDir, apiPort: asked }: DevOptions, house: House, tookMs: number): void {
  const { servers, apiPort } = house;
  const project = given('projectPath', config.projectPath);
  say(startReport({ exposure, apiPort, isPortAsked: asked !== undefined, servers, ...project, dataDir, tookMs }));
}

/** The first signal asks to stop, the second ends at once; servers then end by their reapers. */
function onStopSignals(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
  });
}

function wantsChat({ switches }: ParsedFlags): boolean {
  return switches.has('chat') && !switches.has('no-chat') && process.stdin.isTTY;
}

async function chat(url: string, stopAsked: Promise<void>): Promise<void> {
  const { chatOnTerminal } = await import('../chat/session.js');
  await chatOnTerminal({ url, stopAsked });
}

function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function say(line: string): void {
  console.log(line);
}

function step(line: string): void {
  console.log(`  ${line}`);
}
