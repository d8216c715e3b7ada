import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findExecutable, findOnPath } from '../../servers/binaries.js';
import { isReachable } from '../../servers/downloads.js';
import { withLock } from '../../servers/file-lock.js';
import { PortBook, freePort, isFree } from '../../servers/ports.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-binaries-'));
let server: Server;
let url: string;
let requests = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests += 1;
    response.writeHead(request.url === '/there' ? 200 : 403).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

describe('a server program', () => {
  it('is found in the first folder of PATH that has an executable of that name', () => {
    const [first, second] = ['first', 'second'].map((name) => join(folder, name));
    for (const path of [first, second]) {
      mkdirSync(path ?? '');
      writeFileSync(join(path ?? '', 'mongod'), '#!/bin/sh\n');
    }
    chmodSync(join(second ?? '', 'mongod'), 0o755);
    expect(findOnPath('mongod', [first, '', second].join(delimiter))).toBe(join(second ?? '', 'mongod'));
    expect(findOnPath('mongod', first ?? '')).toBeUndefined();
    expect(findExecutable(folder, /mongod$/)).toBe(join(second ?? '', 'mongod'));
    expect(findExecutable(join(folder, 'nowhere'), /mongod/)).toBeUndefined();
  });

  it('is not downloaded from a host if a request to this host has failed within the last hour', async () => {
    const lines: string[] = [];
    const check = (path: string, failuresFile: string) =>
      isReachable(url + path, join(folder, failuresFile), (line) => lines.push(line));
    expect(await check('/there', 'a.json')).toBe(true);
    expect(await check('/refused', 'b.json')).toBe(false);
    const before = requests;
    expect(await check('/refused', 'b.json')).toBe(false);
    expect(requests).toBe(before);
    expect(lines).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+ cannot be reached \(status 403\); trying the next source$/),
    ]);
    writeFileSync(join(folder, 'b.json'), JSON.stringify({ [new URL(url).host]: Date.now() - 3_700_000 }));
    expect(await check('/there', 'b.json')).toBe(true);
  });

  it('is installed by one process at a time, even after a process died during the installation', async () => {
    const lock = join(folder, 'venv.lock');
    writeFileSync(lock, '999999999');
    const order: string[] = [];
    const install = (name: string) =>
      withLock(lock, async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${name} ends`);
      });
    await Promise.all([install('a'), install('b')]);
    expect(order[1]).toBe(order[0]?.replace('begins', 'ends'));
    expect(order).toHaveLength(4);
  });
});

describe('the port number of a server', () => {
  it('is the requested number, or else the stored number if it is free, or else any free number', async () => {
    const file = join(folder, 'ports.json');
    const chosen = await new PortBook(file).choose('api');
    expect(await new PortBook(file).choose('api')).toBe(chosen);
    const requested = await freePort();
    expect(await new PortBook(file).choose('api', requested)).toBe(requested);
    expect(await new PortBook(file).choose('api')).toBe(chosen);

    const taken = createServer().listen(chosen, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const other = await new PortBook(file).choose('api');
    expect(other).not.toBe(chosen);
    await expect(new PortBook(file).choose('api', chosen)).rejects.toThrow(
      `port ${chosen} (api) is in use on 127.0.0.1`,
    );
    await new Promise((resolve) => taken.close(resolve));
    expect(await isFree(chosen)).toBe(true);
  });
});
