import { describe, it, expect, beforeEach, afterEach } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openDataFolder } from '../../dev/data-folder.js';
import { modes } from '../support/modes.js';

let home: string;
let said: string[];
const say = (line: string) => void said.push(line);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'colloquy-data-folder-'));
  said = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Files as a process with the usual umask makes them; a name that ends in `*` is executable. */
function put(folder: string, ...names: string[]): void {
  for (const name of names) {
    const path = join(folder, name.replace('*', ''));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    chmodSync(path, name.endsWith('*') ? 0o755 : 0o644);
  }
  chmodSync(folder, 0o755);
}

describe('the data folder', () => {
  it('is its owner’s alone from the beginning', () => {
    openDataFolder(join(home, 'deep', 'data'), say);
    expect(modes(join(home, 'deep', 'data'))).toEqual({ '.': '700' });
    expect(said).toEqual([]);
  });

  it('of an earlier version is taken from other users, but for its programs', () => {
    const folder = join(home, 'data');
    put(
      folder,
      '.gitignore',
      'ports.json',
      'logs/api.log',
      'logs/api.log.1',
      'temporal/temporal.db',
      'temporal/server.pid',
    );
    put(folder, 'secantusdb/journal/a.wt', 'secantusdb.py', 'secantusdb.toml', 'secantusdb.pid', 'downloads.json');
    put(folder, 'bin/mongod-x64*', 'venv/pyvenv.cfg', 'venv/bin/python*', 'venv.lock');
    openDataFolder(folder, say);
    openDataFolder(folder, say);
    expect(modes(folder)).toEqual({
      ...{ '.': '700', logs: '700', temporal: '700', secantusdb: '700', 'secantusdb/journal': '700' },
      ...{ '.gitignore': '600', 'ports.json': '600', 'logs/api.log': '600', 'logs/api.log.1': '600' },
      ...{ 'temporal/temporal.db': '600', 'temporal/server.pid': '600', 'secantusdb/journal/a.wt': '600' },
      ...{ 'secantusdb.py': '600', 'secantusdb.toml': '600', 'secantusdb.pid': '600', 'downloads.json': '600' },
      ...{ bin: '755', 'bin/mongod-x64': '755', 'venv.lock': '600' },
      ...{ venv: '755', 'venv/pyvenv.cfg': '644', 'venv/bin': '755', 'venv/bin/python': '755' },
    });
    expect(said).toEqual([]);
  });

  it('named .colloquy is ours whatever it holds, but for other virtual environments and what links lead to', () => {
    const folder = join(home, '.colloquy');
    put(home, 'elsewhere.txt');
    put(folder, 'notes.txt', 'tool/pyvenv.cfg', 'tool/bin/python*');
    symlinkSync(join(home, 'elsewhere.txt'), join(folder, 'link'));
    openDataFolder(folder, say);
    expect(modes(folder)).toMatchObject({ '.': '700', 'notes.txt': '600', 'tool/bin/python': '755' });
    expect(modes(home)).toMatchObject({ 'elsewhere.txt': '644' });
  });

  it('in a folder with files of others leaves those as they are, and says so', () => {
    put(home, '.gitignore', 'package.json', 'src/index.ts', 'ports.json', 'logs/api.log', 'mongod/a.wt');
    openDataFolder(home, say);
    expect(modes(home)).toEqual({
      ...{ '.': '755', '.gitignore': '644', 'package.json': '644', src: '755', 'src/index.ts': '644' },
      ...{ 'ports.json': '600', logs: '700', 'logs/api.log': '600', mongod: '700', 'mongod/a.wt': '600' },
    });
    expect(said).toEqual([
      `${home} holds other files too and stays open to other users; only what we keep in it is restricted`,
    ]);
  });

  it('does not take a shared folder such as /tmp for itself', () => {
    put(home, 'ports.json');
    chmodSync(home, 0o1777);
    openDataFolder(home, say);
    expect(statSync(home).mode & 0o7777).toBe(0o1777);
    expect(modes(home)).toMatchObject({ 'ports.json': '600' });
  });

  it('that somebody else owns is used as it is, after saying which file others may read', () => {
    const folder = join(home, 'data');
    put(folder, 'ports.json', 'logs/api.log');
    const refuse = (path: string) => {
      if (path.endsWith('api.log')) throw Object.assign(new Error('not permitted'), { code: 'EPERM' });
      throw Object.assign(new Error('not permitted'), { code: 'EACCES' });
    };
    expect(() => openDataFolder(folder, say, refuse)).not.toThrow();
    expect(said).toEqual([
      `other users of this machine may read ${folder} (EACCES) and 3 more: its mode could not be changed`,
    ]);
    said = [];
    openDataFolder(folder, say);
    chmodSync(join(folder, 'logs', 'api.log'), 0o644);
    openDataFolder(folder, say, refuse);
    expect(said).toEqual([
      `other users of this machine may read ${join(folder, 'logs', 'api.log')} (EPERM): its mode could not be changed`,
    ]);
  });
});
