import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ColloquyError } from '../protocol/index.js';
import { makePrivateFolder, writePrivateFile } from './private-files.js';

export const LOOPBACK = '127.0.0.1';

/** Usual ports of what we start; another is taken, and remembered, where one of these is in use. */
export const USUAL_PORTS = { temporal: 7233, temporalUi: 8233, mongodb: 27017, api: 2024 } as const;
export type PortName = keyof typeof USUAL_PORTS;

/**
 * Chooses ports: the one asked for, else the one remembered, else the usual one, else a free one. 0 asks for a free one.
 * Those not asked for are remembered in `file`, so that addresses stay the same over restarts.
 */
export class PortBook {
  readonly #file: string;
  #remembered: Partial<Record<PortName, number>>;

  constructor(file: string) {
    this.#file = file;
    this.#remembered = readPorts(file);
  }

  /** Errors: `unavailable` when a port asked for is in use. */
  async choose(name: PortName, asked?: number, host = LOOPBACK): Promise<number> {
    if (asked === 0) return freePort(host);
    if (asked !== undefined) {
      if (await isFree(asked, host)) return asked;
      throw new ColloquyError('unavailable', `port ${asked} (${name}) is in use on ${host}; choose another`, {
        field: name,
      });
    }
    const candidates = [this.#remembered[name], USUAL_PORTS[name]];
    for (const port of candidates) {
      if (port !== undefined && (await isFree(port, host))) return this.#remember(name, port);
    }
    return this.#remember(name, await freePort(host));
  }

  #remember(name: PortName, port: number): number {
    if (this.#remembered[name] === port) return port;
    this.#remembered = { ...readPorts(this.#file), [name]: port };
    makePrivateFolder(dirname(this.#file));
    writePrivateFile(this.#file, JSON.stringify(this.#remembered));
    return port;
  }
}

function readPorts(file: string): Partial<Record<PortName, number>> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Record<PortName, number>>;
  } catch {
    return {};
  }
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
