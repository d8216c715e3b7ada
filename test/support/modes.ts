import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Returns the file modes of a folder and its contents by relative path: `{ 'logs/api.log': '600'
 * }`.
 */
export function modes(folder: string): Record<string, string> {
  const names = ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })];
  return Object.fromEntries(
    names.flatMap((name) => {
      // A running server may remove its files in the meantime.
      const entry = lstatSync(join(folder, name), { throwIfNoEntry: false });
      return entry === undefined ? [] : [[name, (entry.mode & 0o777).toString(8)]];
    }),
  );
}

/** Returns the relative paths that other users of the machine can read, write or enter. */
export function openToOthers(folder: string): string[] {
  return Object.entries(modes(folder))
    .filter(([, mode]) => !mode.endsWith('00'))
    .map(([name]) => name);
}

/** Makes a folder readable for all users, as earlier versions created it. */
export function openToAll(folder: string): void {
  for (const name of Object.keys(modes(folder))) chmodSync(join(folder, name), 0o755);
}
