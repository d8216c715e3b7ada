import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Returns the file permissions of a folder and of everything in it, as an object. Its keys are
 * relative paths, its values are octal. For example, `logs/api.log` has the value `600`.
 */
export function modes(folder: string): Record<string, string> {
  const names = ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })];
  return Object.fromEntries(
    names.flatMap((name) => {
      // A running server may have removed the file since the folder was listed.
      const entry = lstatSync(join(folder, name), { throwIfNoEntry: false });
      return entry === undefined ? [] : [[name, (entry.mode & 0o777).toString(8)]];
    }),
  );
}

/** Returns the relative paths of what other users of the machine can read, write or enter. */
export function openToOthers(folder: string): string[] {
  return Object.entries(modes(folder))
    .filter(([, mode]) => !mode.endsWith('00'))
    .map(([name]) => name);
}

/**
 * Opens a folder and everything in it to all users, like a data folder that an earlier version of
 * Colloquy has created.
 */
export function openToAll(folder: string): void {
  for (const name of Object.keys(modes(folder))) chmodSync(join(folder, name), 0o755);
}
