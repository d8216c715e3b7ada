import { chmodSync, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Say } from './binaries.js';
import { assertOwner, makePrivateFolder } from './private-files.js';

/** Downloaded programs. They must stay executable, and hold no conversations. */
const PROGRAMS = new Set(['bin', 'venv']);
const OWN_NAMES = new Set([
  ...PROGRAMS,
  ...['.gitignore', 'downloads.json', 'logs', 'ports.json', 'temporal', 'venv.lock'],
  ...['mongod', 'mongod.pid', 'secantusdb', 'secantusdb.pid', 'secantusdb.py', 'secantusdb.toml'],
]);
const OTHERS = 0o077;
const STICKY = 0o1000;

type Fail = (path: string, error: unknown) => void;
type ChangeMode = (path: string, mode: number) => void;

/**
 * Makes the data folder, and refuses one in which another user has put something of ours: that user
 * could read the conversations, and replace what we run. A link is its maker's, wherever it leads.
 * Errors: `forbidden`.
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

/** The entries that are ours. In a folder that holds other things too, `.gitignore` is not. */
function ownNames(names: string[], isOwn: boolean): string[] {
  return isOwn ? names : names.filter((name) => OWN_NAMES.has(name) && name !== '.gitignore');
}

/**
 * Claims the data folder. Earlier versions left it open to all users of the machine, so what it
 * holds is restricted to its owner. Where that fails, says so and goes on. Errors: `forbidden`.
 */
export function openDataFolder(dataDir: string, say: Say, changeMode: ChangeMode = chmodSync): void {
  claimDataFolder(dataDir);
  const failures: string[] = [];
  const fail: Fail = (path, error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') failures.push(`${path} (${code ?? message})`);
  };
  const folder = realpathSync(dataDir);
  const names = readdirSync(folder);
  const isOwn = isOwnFolder(folder, names);
  if (isOwn) restrictMode(folder, changeMode, fail);
  else if (isLoose(statSync(folder).mode))
    say(`${folder} holds other files too and stays open to other users; only what we keep in it is restricted`);
  for (const name of ownNames(names, isOwn)) {
    if (!PROGRAMS.has(name)) restrict(join(folder, name), changeMode, fail);
  }
  if (failures.length === 0) return;
  const more = failures.length === 1 ? '' : ` and ${failures.length - 1} more`;
  say(`other users of this machine may read ${failures[0]}${more}: its mode could not be changed`);
}

/** `--data-dir` may name somebody's project or `/tmp`; those must stay as they are. */
function isOwnFolder(folder: string, names: string[]): boolean {
  if ((statSync(folder).mode & STICKY) !== 0) return false;
  return basename(folder) === '.colloquy' || names.every((name) => OWN_NAMES.has(name));
}

/** A symbolic link is not followed: it may lead to what is not ours. */
function restrict(path: string, changeMode: ChangeMode, fail: Fail): void {
  try {
    const entry = lstatSync(path);
    if (entry.isSymbolicLink() || isVirtualEnvironment(path)) return;
    restrictMode(path, changeMode, fail);
    if (!entry.isDirectory()) return;
    for (const name of readdirSync(path)) restrict(join(path, name), changeMode, fail);
  } catch (error) {
    fail(path, error);
  }
}

function isVirtualEnvironment(path: string): boolean {
  return existsSync(join(path, 'pyvenv.cfg'));
}

function restrictMode(path: string, changeMode: ChangeMode, fail: Fail): void {
  try {
    const { mode } = statSync(path);
    if (isLoose(mode)) changeMode(path, mode & 0o700);
  } catch (error) {
    fail(path, error);
  }
}

function isLoose(mode: number): boolean {
  return (mode & OTHERS) !== 0;
}
