import { describe, it, expect, beforeEach, afterEach } from '@jest/globals';
import {
  chmodSync,
  closeSync,
  existsSync,
  lchownSync,
  readFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openLog } from '../../servers/log-file.js';
import { openDataFolder } from '../../servers/data-folder.js';
import { makeOwnFolder, writePrivateFile } from '../../servers/private-files.js';
import { modes } from '../support/modes.js';

let home: string;
let lines: string[];
const onProgress = (line: string) => void lines.push(line);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'colloquy-data-folder-'));
  lines = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/**
 * Creates files with the modes that they have under the usual umask (022). A name that ends in `*`
 * is executable.
 */
function createFiles(folder: string, ...names: string[]): void {
  for (const name of names) {
    const path = join(folder, name.replace('*', ''));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    chmodSync(path, name.endsWith('*') ? 0o755 : 0o644);
  }
  chmodSync(folder, 0o755);
}

describe('the data folder', () => {
  it('is created so that no other user can enter it', () => {
    openDataFolder(join(home, 'deep', 'data'), onProgress);
    expect(modes(join(home, 'deep', 'data'))).toEqual({ '.': '700' });
    expect(lines).toEqual([]);
  });

  it('is closed to other users if an earlier version of Colloquy left it open; downloaded programs keep their modes', () => {
    const folder = join(home, 'data');
    createFiles(
      folder,
      '.gitignore',
      'ports.json',
      'logs/api.log',
      'logs/api.log.1',
      'temporal/temporal.db',
      'temporal/server.pid',
    );
    createFiles(
      folder,
      'secantusdb/journal/a.wt',
      'secantusdb.py',
      'secantusdb.toml',
      'secantusdb.pid',
      'downloads.json',
    );
    createFiles(folder, 'bin/mongod-x64*', 'venv/pyvenv.cfg', 'venv/bin/python*', 'venv.lock');
    openDataFolder(folder, onProgress);
    openDataFolder(folder, onProgress);
    expect(modes(folder)).toEqual({
      ...{ '.': '700', logs: '700', temporal: '700', secantusdb: '700', 'secantusdb/journal': '700' },
      ...{ '.gitignore': '600', 'ports.json': '600', 'logs/api.log': '600', 'logs/api.log.1': '600' },
      ...{ 'temporal/temporal.db': '600', 'temporal/server.pid': '600', 'secantusdb/journal/a.wt': '600' },
      ...{ 'secantusdb.py': '600', 'secantusdb.toml': '600', 'secantusdb.pid': '600', 'downloads.json': '600' },
      ...{ bin: '755', 'bin/mongod-x64': '755', 'venv.lock': '600' },
      ...{ venv: '755', 'venv/pyvenv.cfg': '644', 'venv/bin': '755', 'venv/bin/python': '755' },
    });
    expect(lines).toEqual([]);
  });

  it('denies other users all its files if its name is .colloquy; Python environments and link targets keep their modes', () => {
    const folder = join(home, '.colloquy');
    createFiles(home, 'elsewhere.txt');
    createFiles(folder, 'notes.txt', 'tool/pyvenv.cfg', 'tool/bin/python*');
    symlinkSync(join(home, 'elsewhere.txt'), join(folder, 'link'));
    openDataFolder(folder, onProgress);
    expect(modes(folder)).toMatchObject({ '.': '700', 'notes.txt': '600', 'tool/bin/python': '755' });
    expect(modes(home)).toMatchObject({ 'elsewhere.txt': '644' });
  });

  it('keeps its mode if it also holds other files: only the files of Colloquy are restricted, and a message says so', () => {
    createFiles(home, '.gitignore', 'package.json', 'src/index.ts', 'ports.json', 'logs/api.log', 'mongod/a.wt');
    openDataFolder(home, onProgress);
    expect(modes(home)).toEqual({
      ...{ '.': '755', '.gitignore': '644', 'package.json': '644', src: '755', 'src/index.ts': '644' },
      ...{ 'ports.json': '600', logs: '700', 'logs/api.log': '600', mongod: '700', 'mongod/a.wt': '600' },
    });
    expect(lines).toEqual([
      `${home} contains other files and stays open to other users; only files of Colloquy are restricted`,
    ]);
  });

  it('keeps its mode if it is a shared folder such as /tmp', () => {
    createFiles(home, 'ports.json');
    chmodSync(home, 0o1777);
    openDataFolder(home, onProgress);
    expect(statSync(home).mode & 0o7777).toBe(0o1777);
    expect(modes(home)).toMatchObject({ 'ports.json': '600' });
  });

  it('is used even if the file mode of an entry cannot be changed; files that other users may read are reported', () => {
    const folder = join(home, 'data');
    createFiles(folder, 'ports.json', 'logs/api.log');
    const refuse = (path: string) => {
      if (path.endsWith('api.log')) throw Object.assign(new Error('not permitted'), { code: 'EPERM' });
      throw Object.assign(new Error('not permitted'), { code: 'EACCES' });
    };
    expect(() => openDataFolder(folder, onProgress, refuse)).not.toThrow();
    expect(lines).toEqual([
      `other users of this machine may read ${folder} (EACCES) and 3 more: its mode could not be changed`,
    ]);
    lines = [];
    openDataFolder(folder, onProgress);
    chmodSync(join(folder, 'logs', 'api.log'), 0o644);
    openDataFolder(folder, onProgress, refuse);
    expect(lines).toEqual([
      `other users of this machine may read ${join(folder, 'logs', 'api.log')} (EPERM): its mode could not be changed`,
    ]);
  });
});

/** Runs a test only as root, because only root can change the owner of a file. */
const asRoot = process.getuid?.() === 0 ? it : it.skip;
const NOBODY = 65_534;

describe('an entry of the data folder', () => {
  const forbidden = (path: string) =>
    expect.objectContaining({
      code: 'forbidden',
      message: `${path} belongs to user 65534, and this process runs as user 0; remove it, or choose another --data-dir`,
    });

  asRoot.each(['logs', 'secantusdb', 'temporal', 'mongod', 'bin', 'venv'])(
    'is refused if it is the folder %s of another user',
    (name) => {
      chmodSync(home, 0o1777);
      mkdirSync(join(home, name));
      lchownSync(join(home, name), NOBODY, NOBODY);
      expect(() => openDataFolder(home, onProgress)).toThrow(forbidden(join(home, name)));
      expect(() => makeOwnFolder(join(home, name))).toThrow(forbidden(join(home, name)));
    },
  );

  asRoot.each(['secantusdb.py', 'mongod.pid', 'ports.json'])(
    'is refused if it is the file %s of another user',
    (name) => {
      chmodSync(home, 0o1777);
      createFiles(home, name);
      chmodSync(home, 0o1777);
      writeFileSync(join(home, name), 'theirs');
      lchownSync(join(home, name), NOBODY, NOBODY);
      expect(() => openDataFolder(home, onProgress)).toThrow(forbidden(join(home, name)));
      expect(() => writePrivateFile(join(home, name), 'ours')).toThrow(forbidden(join(home, name)));
      expect(readFileSync(join(home, name), 'utf8')).toBe('theirs');
    },
  );

  asRoot('is refused if it is a link of another user, whatever the target of the link is', () => {
    mkdirSync(join(home, 'disk'));
    symlinkSync(join(home, 'disk'), join(home, 'mongod'));
    expect(() => openDataFolder(home, onProgress)).not.toThrow();
    lchownSync(join(home, 'mongod'), NOBODY, NOBODY);
    expect(() => openDataFolder(home, onProgress)).toThrow(forbidden(join(home, 'mongod')));
  });

  asRoot('is refused if another user owns the data folder itself and it holds only files of Colloquy', () => {
    const folder = join(home, '.colloquy');
    createFiles(folder, 'ports.json');
    lchownSync(folder, NOBODY, NOBODY);
    expect(() => openDataFolder(folder, onProgress)).toThrow(forbidden(folder));
  });

  asRoot('is ignored in a shared folder if it belongs to another user and Colloquy does not use its name', () => {
    createFiles(home, 'theirs.txt', '.gitignore');
    for (const name of ['theirs.txt', '.gitignore']) lchownSync(join(home, name), NOBODY, NOBODY);
    lchownSync(home, NOBODY, NOBODY);
    expect(() => openDataFolder(home, onProgress)).not.toThrow();
  });

  it('is not written if it is a symbolic link to a file', () => {
    const victim = join(home, 'victim.txt');
    const logs = join(home, 'data', 'logs');
    createFiles(logs, 'other.log');
    for (const target of [victim, join(home, 'not-there.txt')]) {
      writeFileSync(victim, 'mine');
      const [log, script] = [join(logs, 'api.log'), join(home, 'data', 'secantusdb.py')];
      for (const link of [log, script]) symlinkSync(target, link);
      const refused = (link: string) =>
        expect.objectContaining({
          code: 'forbidden',
          message: `${link} is a symbolic link, which is not followed; remove it`,
        });
      expect(() => openLog(log)).toThrow(refused(log));
      for (const flag of ['w', 'a'] as const) {
        expect(() => writePrivateFile(script, 'ours', flag)).toThrow(refused(script));
      }
      expect(() => writePrivateFile(script, 'ours', 'wx')).toThrow('EEXIST');
      expect(readFileSync(victim, 'utf8')).toBe('mine');
      expect(existsSync(join(home, 'not-there.txt'))).toBe(false);
      for (const link of [log, script]) rmSync(link);
    }
  });

  it('is written through a symbolic link to a folder if this user created the link', () => {
    mkdirSync(join(home, 'disk'));
    mkdirSync(join(home, 'data'));
    symlinkSync(join(home, 'disk'), join(home, 'data', 'logs'));
    openDataFolder(join(home, 'data'), onProgress);
    closeSync(openLog(join(home, 'data', 'logs', 'api.log')));
    writePrivateFile(join(home, 'data', 'logs', 'api.log'), 'one', 'a');
    writePrivateFile(join(home, 'data', 'logs', 'api.log'), 'two', 'a');
    expect(readFileSync(join(home, 'disk', 'api.log'), 'utf8')).toBe('onetwo');
    writePrivateFile(join(home, 'disk', 'api.log'), 'new');
    expect(readFileSync(join(home, 'disk', 'api.log'), 'utf8')).toBe('new');
  });
});
