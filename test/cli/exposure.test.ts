import { describe, it, expect, beforeAll, afterAll, beforeEach } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { exposureVariables, checkExposure } from '../../cli/dev/exposure.js';
import { startReport } from '../../cli/dev/start-report.js';
import type { StartedStack } from '../../cli/dev/start-report.js';

const NOT_LOOPBACK = ['0.0.0.0', '::', '192.168.1.7', '2001:db8::7', 'desk.example.org'];
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];
const folder = mkdtempSync(join(tmpdir(), 'colloquy-access-'));

/**
 * Writes a `langgraph.json` and returns its path. The modules that it names do not exist, so a
 * check that loaded one of them would fail.
 */
function project(name: string, content: object | string): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function check(host: string, projectPath: string | undefined, mayBeOpen = false) {
  return checkExposure({ api: { host }, ...(projectPath !== undefined && { projectPath }) }, mayBeOpen);
}

let closed: string;
let open: string;
let emptyAuth: string;

beforeAll(() => {
  const graphs = { travel: './nowhere.ts:graph' };
  closed = project('closed', { graphs, auth: { path: './nowhere.ts:auth' } });
  open = project('open', { graphs });
  emptyAuth = project('empty-auth', { graphs, auth: { disable_studio_auth: true } });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a host that other machines can reach', () => {
  it.each(NOT_LOOPBACK)('is refused for a project without auth, and allowed by --open: %s', async (host) => {
    for (const path of [open, emptyAuth, undefined]) {
      await expect(check(host, path)).rejects.toMatchObject({ name: 'UsageError' });
      expect(await check(host, path, true)).toEqual({ host, isOpen: true });
    }
  });

  it.each(NOT_LOOPBACK)('needs no --open if the project has auth: %s', async (host) => {
    expect(await check(host, closed)).toEqual({ host, isOpen: false });
    expect(await check(host, closed, true)).toEqual({ host, isOpen: false });
  });

  it('is refused with a message that gives the reason and the alternatives', async () => {
    await expect(check('0.0.0.0', open)).rejects.toThrow(
      [
        `other machines can reach the API on host 0.0.0.0, and ${open} has no auth:`,
        '  anyone who can reach this machine could read and start conversations.',
        '  Add auth to langgraph.json, or use --host 127.0.0.1, or allow it with --open.',
      ].join('\n'),
    );
    await expect(check('0.0.0.0', undefined)).rejects.toThrow('and the shipped assistant has no auth:');
  });

  it('is refused with an error about the project file if this file is broken or missing', async () => {
    for (const mayBeOpen of [true, false]) {
      const broken = check('0.0.0.0', project('broken', '{'), mayBeOpen);
      await expect(broken).rejects.toMatchObject({ code: 'invalid_argument', message: /broken\.json: not JSON/ });
      const missing = check('0.0.0.0', join(folder, 'missing.json'), mayBeOpen);
      await expect(missing).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  it('is refused if it is empty, because Node.js then listens on every address', async () => {
    await expect(check('', closed, true)).rejects.toMatchObject({ name: 'UsageError' });
  });
});

describe('a host that only this machine can reach', () => {
  it.each(LOOPBACK)('needs neither auth nor --open: %s', async (host) => {
    for (const path of [open, closed, undefined]) expect(await check(host, path)).toEqual({ host, isOpen: false });
  });
});

describe('the API of colloquy dev', () => {
  beforeEach(() => {
    delete process.env.COLLOQUY_ALLOWED_HOSTS;
    delete process.env.COLLOQUY_STUDIO_AUTH;
    delete process.env.COLLOQUY_CORS_ORIGINS;
  });

  it.each(LOOPBACK)('trusts LangGraph Studio and accepts the Host header `localhost` if it listens on %s', (host) => {
    expect(exposureVariables({ host, isOpen: false })).toEqual({
      COLLOQUY_ALLOWED_HOSTS: 'localhost',
      COLLOQUY_STUDIO_AUTH: 'true',
      COLLOQUY_CORS_ORIGINS: 'loopback,https://smith.langchain.com',
    });
  });

  it('if other machines can reach it, does not trust LangGraph Studio, and accepts its own hosts in the Host header', () => {
    const specific = exposureVariables({ host: '192.168.1.7', isOpen: true });
    expect(specific).toEqual({ COLLOQUY_ALLOWED_HOSTS: '192.168.1.7' });
    const everywhere = exposureVariables({ host: '0.0.0.0', isOpen: true });
    expect(Object.keys(everywhere)).toEqual(['COLLOQUY_ALLOWED_HOSTS']);
    expect(everywhere.COLLOQUY_ALLOWED_HOSTS?.split(',')).toEqual(expect.arrayContaining(['127.0.0.1', hostname()]));
  });

  it('keeps settings that the environment already sets', () => {
    process.env.COLLOQUY_ALLOWED_HOSTS = 'mine.example.org';
    process.env.COLLOQUY_STUDIO_AUTH = 'false';
    process.env.COLLOQUY_CORS_ORIGINS = '*';
    expect(exposureVariables({ host: '127.0.0.1', isOpen: false })).toEqual({});
    process.env.COLLOQUY_ALLOWED_HOSTS = '';
    expect(exposureVariables({ host: '127.0.0.1', isOpen: false })).toEqual({ COLLOQUY_ALLOWED_HOSTS: 'localhost' });
  });
});

describe('the start report of colloquy dev', () => {
  const server = (address: string, isOurs: boolean) =>
    ({ address, label: 'a label', ...(isOurs && { process: {} }) }) as never;
  const interfaces = {
    lo: [{ address: '127.0.0.1', internal: true }],
    eth0: [{ address: '192.168.1.7', internal: false }],
  } as never;
  const print = (host: string, changes: Partial<StartedStack> = {}) =>
    startReport(
      {
        exposure: { host, isOpen: false },
        apiPort: 2024,
        isPortRequested: false,
        servers: { temporal: server('t:1', true), mongodb: server('mongodb://me:secret@d:1', true) },
        dataDir: '.colloquy',
        tookMs: 1_500,
        ...changes,
      },
      interfaces,
    );

  it('has one address of the API if only this machine can reach the API', () => {
    expect(print('127.0.0.1').split('\n')).toEqual([
      '',
      '  API              http://127.0.0.1:2024',
      '  Temporal         t:1                    a label',
      '  Database         mongodb://***@d:1      a label',
      '  Agents           the shipped assistant',
      '  Logs             .colloquy/logs',
      '',
      'Temporal and the database have no password: any user of this machine can read conversations there.',
      'Ready in 1.5 s. Ctrl-C stops everything.',
      '',
    ]);
    expect(print('::1')).toMatch(/^ {2}API +http:\/\/\[::1\]:2024$/m);
  });

  it('has every address of the API if the API listens on all addresses', () => {
    const printed = print('0.0.0.0', { exposure: { host: '0.0.0.0', isOpen: true }, apiPort: 2025 });
    expect(printed.split('\n').slice(1, 4)).toEqual([
      '  API              http://0.0.0.0:2025      2024 was in use; --port chooses another',
      '    from here      http://127.0.0.1:2025',
      '    from elsewhere http://192.168.1.7:2025',
    ]);
    expect(printed).toMatch(
      /^Open: the shipped assistant has no auth\. Anyone who can reach this machine can read and start conversations\.$/m,
    );
    expect(print('0.0.0.0')).not.toMatch(/Open/);
  });

  it('mentions a missing password only for servers that colloquy dev has started', () => {
    const [external, embedded] = [server('t:1', false), server('d:1', true)];
    expect(print('127.0.0.1', { servers: { temporal: external, mongodb: embedded } })).toMatch(
      /^The database has no password/m,
    );
    expect(print('127.0.0.1', { servers: { temporal: external, mongodb: external } })).not.toMatch(/password/);
  });
});
