import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { ColloquyError } from '../protocol/index.js';
import { readJson } from './json-file.js';
import { makePrivateFolder, writePrivateFile } from './private-files.js';

export const LOOPBACK = '127.0.0.1';

/** Default TCP port numbers. If one is in use, a free port number is chosen and stored. */
export const DEFAULT_PORTS = { temporal: 7233, temporalUi: 8233, mongodb: 27017, api: 2024 } as const;
export type PortName = keyof typeof DEFAULT_PORTS;

/**
 * Chooses TCP port numbers for servers. A number that the caller names is used and not stored; 0
 * stands for any free number. If the caller names none, the number that `file` has from an earlier
 * start is tried first, then the default, then any free number. This choice is stored in `file`, so
 * that addresses stay the same after a restart.
 */
export class PortBook {
  readonly #file: string;
  #stored: Partial<Record<PortName, number>>;

  constructor(file: string) {
    this.#file = file;
    this.#stored = readPorts(file);
  }

  /**
   * Returns the port number for a server. Errors: `unavailable` if the requested port is in use.
   */
  async choose(name: PortName, requested?: number, host = LOOPBACK): Promise<number> {
    if (requested === 0) return freePort(host);
    if (requested !== undefined) {
      if (await isFree(requested, host)) return requested;
      throw new ColloquyError('unavailable', `port ${requested} (${name}) is in use on ${host}; choose another`, {
        field: name,
      });
    }
    const candidates = [this.#stored[name], DEFAULT_PORTS[name]];
    for (const port of candidates) {
      if (port !== undefined && (await isFree(port, host))) return this.#store(name, port);
    }
    return this.#store(name, await freePort(host));
  }

  #store(name: PortName, port: number): number {
    if (this.#stored[name] === port) return port;
    this.#stored = { ...readPorts(this.#file), [name]: port };
    makePrivateFolder(dirname(this.#file));
    writePrivateFile(this.#file, JSON.stringify(this.#stored));
    return port;
  }
}

function readPorts(file: string): Partial<Record<PortName, number>> {
  return readJson(file) ?? {};
}

export function isFree(port: number, host = LOOPBACK): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

export function freePort(host = LOOPBACK): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
