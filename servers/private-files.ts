import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ColloquyError } from '../protocol/index.js';

/** Makes a folder that only its owner can enter; one that is there stays as it is. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** The same for a folder in which nobody else may have put anything. Errors: `forbidden`. */
export function makeOwnFolder(folder: string): void {
  makePrivateFolder(folder);
  assertOwner(folder, lstatSync(folder).uid);
}

const { O_WRONLY, O_CREAT, O_APPEND, O_EXCL } = constants;
/** Windows has no such flag. */
const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0;
const OPEN_FLAGS = { w: O_CREAT, a: O_CREAT | O_APPEND, wx: O_CREAT | O_EXCL } as const;

/**
 * Opens a file that only its owner can read, and makes it where it is missing; the mode of one that
 * is there stays as it is. Errors: `forbidden` for a symbolic link, and for a file of somebody else.
 */
export function openPrivateFile(file: string, flag: keyof typeof OPEN_FLAGS): number {
  const opened = openUnlinked(file, O_WRONLY | OPEN_FLAGS[flag] | O_NOFOLLOW);
  try {
    assertOwner(file, fstatSync(opened).uid);
    if (flag === 'w') ftruncateSync(opened);
    return opened;
  } catch (error) {
    closeSync(opened);
    throw error;
  }
}

function openUnlinked(file: string, flags: number): number {
  try {
    return openSync(file, flags, 0o600);
  } catch (error) {
    // EMLINK on FreeBSD.
    if (!['ELOOP', 'EMLINK'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const problem = `${file} is a symbolic link, which is not followed; remove it`;
    throw new ColloquyError('forbidden', problem, { cause: error });
  }
}

/** Writes what {@link openPrivateFile} opens. */
export function writePrivateFile(file: string, text: string, flag: 'w' | 'a' | 'wx' = 'w'): void {
  const opened = openPrivateFile(file, flag);
  try {
    writeFileSync(opened, text);
  } finally {
    closeSync(opened);
  }
}

/** Whoever owns a file or folder reads and replaces what it holds. Errors: `forbidden`. */
export function assertOwner(path: string, owner: number): void {
  const user = process.getuid?.();
  if (user === undefined || owner === user) return;
  throw new ColloquyError(
    'forbidden',
    `${path} belongs to user ${owner}, and this process runs as user ${user}; ` +
      'remove it, or choose another --data-dir',
  );
}

/** What a process started by `start` creates is its owner's alone. `start` must be synchronous. */
export function withPrivateUmask<T>(start: () => T): T {
  const before = process.umask(0o077);
  try {
    return start();
  } finally {
    process.umask(before);
  }
}
