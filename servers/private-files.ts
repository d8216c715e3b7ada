import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ColloquyError } from '../protocol/index.js';

/** Creates a folder that only its owner can enter. Does not change an existing folder. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/**
 * Creates a private folder if it is missing, and checks that the OS user of this process owns it.
 * Errors: `forbidden`.
 */
export function makeOwnFolder(folder: string): void {
  makePrivateFolder(folder);
  assertOwner(folder, lstatSync(folder).uid);
}

const { O_WRONLY, O_CREAT, O_APPEND, O_EXCL } = constants;
/** With this flag, opening a symbolic link fails. Windows does not have the flag. */
const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0;
const OPEN_FLAGS = { w: O_CREAT, a: O_CREAT | O_APPEND, wx: O_CREAT | O_EXCL } as const;

/**
 * Opens a file for writing. A missing file is created so that only its owner can read it. The mode
 * of an existing file does not change. Errors: `forbidden` for a symbolic link and for another
 * user's file.
 */
export function openPrivateFile(file: string, flag: keyof typeof OPEN_FLAGS): number {
  const descriptor = openWithoutLinks(file, O_WRONLY | OPEN_FLAGS[flag] | O_NOFOLLOW);
  try {
    assertOwner(file, fstatSync(descriptor).uid);
    if (flag === 'w') ftruncateSync(descriptor);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function openWithoutLinks(file: string, flags: number): number {
  try {
    return openSync(file, flags, 0o600);
  } catch (error) {
    // With `O_NOFOLLOW`, a symbolic link leads to ELOOP, or to EMLINK on FreeBSD.
    if (!['ELOOP', 'EMLINK'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const problem = `${file} is a symbolic link, which is not followed; remove it`;
    throw new ColloquyError('forbidden', problem, { cause: error });
  }
}

/**
 * Writes `text` to a file. The file is opened with {@link openPrivateFile}, so only its owner can
 * read a new file. Errors: `forbidden`.
 */
export function writePrivateFile(file: string, text: string, flag: 'w' | 'a' | 'wx' = 'w'): void {
  const descriptor = openPrivateFile(file, flag);
  try {
    writeFileSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Throws if a file or folder belongs to another OS user, because that user could read and replace
 * its contents. Errors: `forbidden`.
 */
export function assertOwner(path: string, owner: number): void {
  const user = process.getuid?.();
  if (user === undefined || owner === user) return;
  throw new ColloquyError(
    'forbidden',
    `${path} belongs to user ${owner}, and this process runs as user ${user}; ` +
      'remove it, or choose another --data-dir',
  );
}

/**
 * Runs `start`, which starts a child process. The child inherits a umask of 077, so the files that
 * it creates can be read only by their owner. `start` must be synchronous, because the previous
 * umask is restored when it returns.
 */
export function withPrivateUmask<T>(start: () => T): T {
  const before = process.umask(0o077);
  try {
    return start();
  } finally {
    process.umask(before);
  }
}
