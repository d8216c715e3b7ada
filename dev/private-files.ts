import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder that only its owner can enter; one that is there stays as it is. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Writes a file that only its owner can read; the mode of one that is there stays as it is. */
export function writePrivateFile(file: string, text: string, flag: 'w' | 'a' | 'wx' = 'w'): void {
  writeFileSync(file, text, { mode: 0o600, flag });
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
