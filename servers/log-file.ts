import { lstatSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeOwnFolder, openPrivateFile } from './private-files.js';

const LARGEST_LOG_BYTES = 16 * 1024 * 1024;
const TAIL_LINES = 8;

/**
 * Opens a log file for appending. Only its owner can read the file. If the file is large, it is
 * first renamed to `<name>.1`. Errors: `forbidden`.
 */
export function openLog(file: string): number {
  makeOwnFolder(dirname(file));
  const size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LARGEST_LOG_BYTES) renameSync(file, `${file}.1`);
  return openPrivateFile(file, 'a');
}

/** Returns the last lines of a log file, for an error message. */
export function logTail(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES);
  return `last lines of ${file}:\n  ${lines.join('\n  ')}`;
}
