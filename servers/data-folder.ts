import { chmodSync, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MONGODB_DATA_NAMES } from './mongodb/data-names.js';
import { assertOwner, makePrivateFolder } from './private-files.js';
import type { OnProgress } from './progress.js';

/**
 * Folders of downloaded programs. Their file modes are not changed, because these folders hold no
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
 * Creates the data folder if it is missing. Refuses a folder in which another OS user owns an entry
 * with one of Colloquy's names, because that user could read the conversations and replace programs
 * that Colloquy starts. If only Colloquy uses the folder, another OS user must not own the folder
 * itself either. A symbolic link counts as owned by the user who created it. Errors: `forbidden`.
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
 * Returns the names of the entries that belong to Colloquy: all of them if only Colloquy uses the
 * folder (`isOwn`). In a folder with other files, `.gitignore` belongs to somebody else.
 */
function ownNames(names: string[], isOwn: boolean): string[] {
  return isOwn ? names : names.filter((name) => OWN_NAMES.has(name) && name !== '.gitignore');
}

/**
 * Creates the data folder, or checks an existing one ({@link claimDataFolder}). Then takes away all
 * access of other OS users to Colloquy's entries in the folder, except to downloaded programs.
 * Earlier versions left these entries open to all users of the machine. If only Colloquy uses the
 * folder, also closes the folder itself. If a file mode cannot be changed, reports that and
 * continues. Errors: `forbidden`.
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
 * Returns whether only Colloquy uses the folder. `--data-dir` may also name a folder with other
 * files, such as `/tmp`. The file mode of such a folder must not change.
 */
function isOwnFolder(folder: string, names: string[]): boolean {
  if ((statSync(folder).mode & STICKY) !== 0) return false;
  return basename(folder) === '.colloquy' || names.every((name) => OWN_NAMES.has(name));
}

/**
 * Takes away all access of other OS users to a file, or to a folder and its contents. Skips virtual
 * environments of Python. Does not follow symbolic links, because their targets may belong to other
 * users.
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
