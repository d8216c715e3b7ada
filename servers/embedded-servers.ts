import { resolve, join } from 'node:path';
import type { Say } from './binaries.js';
import { openDataFolder } from './data-folder.js';
import { startMongo } from './mongodb/mongo-server.js';
import { PortBook } from './ports.js';
import type { Server } from './server.js';
import { startTemporal } from './temporal/temporal-server.js';
import type { TemporalServer } from './temporal/temporal-server.js';

export interface EmbeddedOptions {
  /** Data, ports, process ids and logs; open to its owner alone. */
  dataDir: string;
  /** Downloaded binaries and wheels; default: the data directory. */
  toolsDir?: string;
  /** Folders to look for `temporal` and `mongod`, as in PATH; default: none. */
  searchPath?: string;
  /** 0: a free one. */
  temporalPort?: number;
  uiPort?: number;
  mongodbPort?: number;
  /** No Temporal Web UI. */
  headless?: boolean;
  /** Addresses of servers that are there already; those are used as they are. */
  temporalAddress?: string;
  mongodbUri?: string;
  say?: Say;
}

export interface ServerOptions extends EmbeddedOptions {
  toolsDir: string;
  searchPath: string;
  ports: PortBook;
  say: Say;
}

export interface Servers {
  temporal: TemporalServer;
  mongodb: Server;
  stop(): Promise<void>;
}

/** Starts what no address was given for. Errors: `unavailable`, `already_exists`; then nothing is left running. */
export async function startServers(partial: EmbeddedOptions): Promise<Servers> {
  const options = prepare(partial);
  const starting: [Promise<TemporalServer>, Promise<Server>] = [
    partial.temporalAddress === undefined ? startTemporal(options) : given(partial.temporalAddress),
    partial.mongodbUri === undefined ? startMongo(options) : given(partial.mongodbUri),
  ];
  const results = await Promise.allSettled(starting);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(
      results.map((result) => (result.status === 'fulfilled' ? result.value.stop() : Promise.resolve())),
    );
    throw failed.reason;
  }
  const [temporal, mongodb] = await Promise.all(starting);
  return {
    temporal,
    mongodb,
    async stop() {
      await Promise.all([temporal.stop(), mongodb.stop()]);
    },
  };
}

/** Starts one server alone, for tests that break one of them. */
export async function startServer(kind: 'temporal' | 'mongodb', partial: EmbeddedOptions): Promise<Server> {
  const options = prepare(partial);
  return kind === 'temporal' ? startTemporal(options) : startMongo(options);
}

function prepare(partial: EmbeddedOptions): ServerOptions {
  // First: nothing is read from a folder that somebody else filled.
  openDataFolder(resolve(partial.dataDir), partial.say ?? (() => {}));
  return complete(partial);
}

function complete(partial: EmbeddedOptions): ServerOptions {
  const dataDir = resolve(partial.dataDir);
  return {
    ...partial,
    dataDir,
    toolsDir: resolve(partial.toolsDir ?? dataDir),
    searchPath: partial.searchPath ?? '',
    ports: new PortBook(join(dataDir, 'ports.json')),
    say: partial.say ?? (() => {}),
  };
}

function given(address: string): Promise<Server> {
  return Promise.resolve({ address, label: 'address from the environment', stop: () => Promise.resolve() });
}
