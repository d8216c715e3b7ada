import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Modes of a folder and all that is in it, by relative path: `{ 'logs/api.log': '600' }`. */
export function modes(folder: string): Record<string, string> {
  const names = ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })];
  return Object.fromEntries(
    names.flatMap((name) => {
      // A running server removes files of its own meanwhile.
      const entry = lstatSync(join(folder, name), { throwIfNoEntry: false });
      return entry === undefined ? [] : [[name, (entry.mode & 0o777).toString(8)]];
    }),
  );
}

/** What other users of the machine may read, enter or write, by relative path. */
export function openToOthers(folder: string): string[] {
  return Object.entries(modes(folder))
    .filter(([, mode]) => !mode.endsWith('00'))
    .map(([name]) => name);
}

/** Leaves a folder as earlier versions did: all users of the machine may read it. */
export function openToAll(folder: string): void {
  for (const name of Object.keys(modes(folder))) chmodSync(join(folder, name), 0o755);
}
