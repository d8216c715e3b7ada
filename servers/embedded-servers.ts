import { resolve, join } from 'node:path';
import { openDataFolder } from './data-folder.js';
import { startMongo } from './mongodb/mongo-server.js';
import type { EmbeddedOptions, ServerOptions } from './options.js';
import { PortBook } from './ports.js';
import type { Server } from './server.js';
import { startTemporal } from './temporal/temporal-server.js';
import type { TemporalServer } from './temporal/temporal-server.js';

export interface Servers {
  temporal: TemporalServer;
  mongodb: Server;
  stop(): Promise<void>;
}

/**
 * Starts Temporal and MongoDB. If the options contain the address of a running server, uses that
 * server and starts none in its place. If one server fails to start, the other is stopped.
 * Errors: `unavailable`, `already_exists`, `forbidden`.
 */
export async function startServers(partial: EmbeddedOptions): Promise<Servers> {
  const options = prepare(partial);
  const starting: [Promise<TemporalServer>, Promise<Server>] = [
    partial.temporalAddress === undefined ? startTemporal(options) : useRunning(partial.temporalAddress),
    partial.mongodbUri === undefined ? startMongo(options) : useRunning(partial.mongodbUri),
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

/** Starts only one of the two servers, for tests that kill or suspend it. */
export async function startServer(kind: 'temporal' | 'mongodb', partial: EmbeddedOptions): Promise<Server> {
  const options = prepare(partial);
  return kind === 'temporal' ? startTemporal(options) : startMongo(options);
}

function prepare(partial: EmbeddedOptions): ServerOptions {
  const options = complete(partial);
  // Check the folder before anything in it is read, because another user may have written to it.
  openDataFolder(options.dataDir, options.onProgress);
  return { ...options, ports: new PortBook(join(options.dataDir, 'ports.json')) };
}

function complete(partial: EmbeddedOptions): Omit<ServerOptions, 'ports'> {
  const dataDir = resolve(partial.dataDir);
  return {
    ...partial,
    dataDir,
    toolsDir: resolve(partial.toolsDir ?? dataDir),
    searchPath: partial.searchPath ?? '',
    onProgress: partial.onProgress ?? (() => {}),
  };
}

function useRunning(address: string): Promise<Server> {
  return Promise.resolve({ address, label: 'address from the environment', stop: () => Promise.resolve() });
}
