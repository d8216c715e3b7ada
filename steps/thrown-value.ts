/**
 * Reads values that a node has thrown. Such a value may be anything: a proxy whose traps throw, an
 * object with getters that throw, a symbol, a circular object. None of these functions throws.
 */
import { inspect } from 'node:util';

/** The text of a value that cannot be converted to text. */
const UNREADABLE = 'the thrown value cannot be shown as text';
/** LangGraph sets this field on everything that a node throws. */
const TASK_MARK = 'pregelTaskId';
/** Limits for the JSON text of a thrown object. An object beyond them is shown without its depth. */
const MAX_VALUES = 100_000;
const MAX_CHARACTERS = 64 * 2 ** 20;

/** Options for an object that has no JSON text: it is circular, or too large. */
const INSPECTION = {
  depth: 2,
  maxArrayLength: 20,
  maxStringLength: 1_000,
  breakLength: Number.POSITIVE_INFINITY,
  // A thrown object must not run code of its own here.
  customInspect: false,
  getters: false,
} as const;

/** Returns the result of `read`, or undefined if it throws. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Returns a field of a value. Returns undefined if the value has no such field, or if a read throws. */
export function readField(value: unknown, name: string): unknown {
  return isObject(value) ? attempt(() => (value as Record<string, unknown>)[name]) : undefined;
}

/** Returns a value as text: a string unchanged, an object as JSON if it can be. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return attempt(() => String(value)) ?? UNREADABLE;
  return jsonOf(value) ?? attempt(() => inspect(value, INSPECTION)) ?? UNREADABLE;
}

/**
 * Returns the text in valid Unicode. Protocol Buffers, and so Temporal, refuse a text with half of a
 * surrogate pair.
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/**
 * Returns the JSON text of an object, or undefined if it has none. An object without a field of its
 * own, such as a promise, is shown as `[object Promise]`.
 */
function jsonOf(value: object): string | undefined {
  return attempt(() => {
    const text = JSON.stringify(value, limited(value)) as string | undefined;
    const tag = text === '{}' ? Object.prototype.toString.call(value) : '[object Object]';
    return tag === '[object Object]' ? text : tag;
  });
}

/** Returns a replacer for `JSON.stringify`, which gives up if the text of `root` becomes too long. */
function limited(root: object) {
  let values = 0;
  let characters = 0;
  return function (this: unknown, key: string, value: unknown): unknown {
    values += 1;
    characters += key.length + (typeof value === 'string' ? value.length : 0);
    if (values > MAX_VALUES || characters > MAX_CHARACTERS) throw new RangeError('too large to be shown');
    if (key === TASK_MARK && this === root) return undefined;
    return typeof value === 'bigint' ? value.toString() : value;
  };
}
