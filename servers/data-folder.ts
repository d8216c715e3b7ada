import { chmodSync, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MONGODB_DATA_NAMES } from './mongodb/data-names.js';
import { assertOwner, makePrivateFolder } from './private-files.js';
import type { OnProgress } from './progress.js';

/**
 * Folders of downloaded programs. The programs must stay executable, and the folders hold no
 * conversations.
 */
const PROGRAMS = new Set(['bin', 'venv']);
const OWN_NAMES = new Set([
  ...PROGRAMS,
  ...['.gitignore', 'downloads.json', 'logs', 'ports.json', 'temporal', 'venv.lock'],
  ...MONGODB_DATA_NAMES,
]);
const OTHERS = 0o077;
const STICKY = 0o1000;

type OnFailure = (path: string, error: unknown) => void;
type ChangeMode = (path: string, mode: number) => void;

/**
 * Creates the data folder. Refuses a folder in which another user owns an entry with one of our
 * names. That user could read the conversations and replace what we run. A symbolic link belongs to
 * whoever created the link. Errors: `forbidden`.
 */
export function claimDataFolder(dataDir: string): void {
  makePrivateFolder(dataDir);
  const folder = realpathSync(dataDir);
  const names = readdirSync(folder);
  const isOwn = isOwnFolder(folder, names);
  if (isOwn) assertOwner(folder, statSync(folder).uid);
  for (const name of ownNames(names, isOwn).filter((one) => OWN_NAMES.has(one))) {
    const entry = lstatSync(join(folder, name), { throwIfNoEntry: false });
    if (entry !== undefined) assertOwner(join(folder, name), entry.uid);
  }
}

/**
 * Returns the entries that belong to Colloquy. In a folder with other files, `.gitignore` belongs
 * to somebody else.
 */
function ownNames(names: string[], isOwn: boolean): string[] {
  return isOwn ? names : names.filter((name) => OWN_NAMES.has(name) && name !== '.gitignore');
}

/**
 * Claims the data folder and restricts its contents to the owner, because earlier versions left the
 * folder open to all users of the machine. If a mode cannot be changed, reports that and continues.
 * Errors: `forbidden`.
 */
export function openDataFolder(dataDir: string, onProgress: OnProgress, changeMode: ChangeMode = chmodSync): void {
  claimDataFolder(dataDir);
  const failures: string[] = [];
  const onFailure: OnFailure = (path, error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') failures.push(`${path} (${code ?? message})`);
  };
  const folder = realpathSync(dataDir);
  const names = readdirSync(folder);
  const isOwn = isOwnFolder(folder, names);
  if (isOwn) restrictMode(folder, changeMode, onFailure);
  else if (isOpenToOthers(statSync(folder).mode))
    onProgress(`${folder} contains other files and stays open to other users; only files of Colloquy are restricted`);
  for (const name of ownNames(names, isOwn)) {
    if (!PROGRAMS.has(name)) restrict(join(folder, name), changeMode, onFailure);
  }
  if (failures.length === 0) return;
  const more = failures.length === 1 ? '' : ` and ${failures.length - 1} more`;
  onProgress(`other users of this machine may read ${failures[0]}${more}: its mode could not be changed`);
}

/**
 * Returns whether the folder is used by Colloquy only. `--data-dir` may name somebody's project or
 * `/tmp`, whose mode must not change.
 */
function isOwnFolder(folder: string, names: string[]): boolean {
  if ((statSync(folder).mode & STICKY) !== 0) return false;
  return basename(folder) === '.colloquy' || names.every((name) => OWN_NAMES.has(name));
}

/**
 * Restricts an entry to its owner. Does not follow symbolic links, because their targets may belong
 * to others.
 */
function restrict(path: string, changeMode: ChangeMode, onFailure: OnFailure): void {
  try {
    const entry = lstatSync(path);
    if (entry.isSymbolicLink() || isVirtualEnvironment(path)) return;
    restrictMode(path, changeMode, onFailure);
    if (!entry.isDirectory()) return;
    for (const name of readdirSync(path)) restrict(join(path, name), changeMode, onFailure);
  } catch (error) {
    onFailure(path, error);
  }
}

function isVirtualEnvironment(path: string): boolean {
  return existsSync(join(path, 'pyvenv.cfg'));
}

function restrictMode(path: string, changeMode: ChangeMode, onFailure: OnFailure): void {
  try {
    const { mode } = statSync(path);
    if (isOpenToOthers(mode)) changeMode(path, mode & 0o700);
  } catch (error) {
    onFailure(path, error);
  }
}

function isOpenToOthers(mode: number): boolean {
  return (mode & OTHERS) !== 0;
}
