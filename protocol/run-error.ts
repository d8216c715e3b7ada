import type { RunError } from './run.js';

/** Limits for the two texts of an error, in characters. */
interface RunErrorLimits {
  name: number;
  message: number;
}

/**
 * Limits for an error in Temporal and in a thread's record. Temporal refuses a failure of more than
 * 2 MB, and a workflow history contains the text of a failure several times.
 */
const SHORT: RunErrorLimits = { name: 200, message: 4_000 };
/**
 * Maximum size of each text of an error in a run's record, in bytes of JSON. MongoDB limits a
 * document to 16 MB. The record has two such texts and the run's request.
 */
const STORED_BYTES = { name: 2 ** 20, message: 6 * 2 ** 20 };

/** The remark in the mark of a text that was cut, if the run's record has the whole text. */
export const WHOLE_IN_RECORD = "the run's record has the whole text";

/**
 * Returns the error with short texts. A text that is cut ends with a mark: `… (5,000,000
 * characters)`. `note` is added to that mark, and says where the whole text is.
 */
export function shortRunError(error: RunError, note?: string, limits = SHORT): RunError {
  return {
    error: cutText(error.error, limits.name, note),
    message: cutText(error.message, limits.message, note),
  };
}

/** Returns the error with texts that are short enough for a run's record and for its last event. */
export function storedRunError({ error, message }: RunError): RunError {
  return {
    error: cutText(error, charactersWithin(error, STORED_BYTES.name), 'cut'),
    message: cutText(message, charactersWithin(message, STORED_BYTES.message), 'cut'),
  };
}

/** Returns whether two errors have the same texts, or both are undefined. */
export function isSameRunError(one: RunError | undefined, other: RunError | undefined): boolean {
  return one?.error === other?.error && one?.message === other?.message;
}

/** Returns the text, or its beginning and a mark `… (5,000,000 characters)` if it is too long. */
export function shortText(text: string, most: number): string {
  return cutText(text, most);
}

/**
 * Returns the text, or its beginning and a mark if it is longer than `most` characters. The result
 * has at most `most` characters, so a text that was cut is not cut again.
 */
function cutText(text: string, most: number, note?: string): string {
  if (text.length <= most) return text;
  const length = text.length.toLocaleString('en-US');
  const mark = `… (${length} characters${note === undefined ? '' : `; ${note}`})`;
  const end = most - mark.length;
  // A surrogate pair is not split, because half of it is not valid UTF-8.
  return text.slice(0, isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end) + mark;
}

/** Returns how many characters at the beginning of a text take at most `most` bytes as JSON. */
function charactersWithin(text: string, most: number): number {
  const longest = 6; // the bytes of an escaped control character, such as \u0000
  if (text.length * longest <= most) return text.length;
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) {
    bytes += jsonBytes(text.charCodeAt(index));
    if (bytes > most) return index;
  }
  return text.length;
}

function jsonBytes(unit: number): number {
  if (unit < 0x20) return 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  if (unit < 0x80) return 1;
  return unit < 0x800 || isSurrogate(unit) ? 2 : 3;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
