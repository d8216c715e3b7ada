/**
 * Converts values of a graph to the JSON that clients get. A chat message becomes a flat object
 * with a `type`. A config of LangGraph that names a checkpoint becomes a checkpoint of the API.
 */
import { randomUUID } from 'node:crypto';
import { publicConfigurable } from '../protocol/index.js';
import type { NewEvent } from '../streams/index.js';

type Json = Record<string, unknown>;

/** What stands in the text for an object that contains itself, as in LangGraph's checkpoints. */
const CYCLE = '[Circular]';

/**
 * Converts a value to JSON text. A bigint becomes a string, and an object inside of itself becomes
 * `[Circular]`.
 */
export function toWireText(value: unknown): string {
  return stringify(value, () => flattenMessage) ?? 'null';
}

type Replacer = (this: unknown, key: string, value: unknown) => unknown;

/** `JSON.stringify` with a cheap first try, because almost no value contains a cycle. */
function stringify(value: unknown, newReplacer: () => Replacer): string | undefined {
  try {
    return JSON.stringify(value, newReplacer());
  } catch (error) {
    if (!(error instanceof TypeError) || !error.message.includes('circular')) throw error;
    return JSON.stringify(value, withoutCycles(newReplacer()));
  }
}

/** Returns a replacer that does the same, and replaces each object that contains itself. */
function withoutCycles(replacer: Replacer): Replacer {
  const path: unknown[] = [];
  return function (key, made) {
    // `this` contains the key, so the objects that are not on the way to it are done.
    while (path.length > 0 && path.at(-1) !== this) path.pop();
    const value = replacer.call(this, key, made);
    if (typeof value !== 'object' || value === null) return value;
    if (path.includes(value)) return CYCLE;
    path.push(value);
    return value;
  };
}

/** Converts a value to plain JSON data, in the same format as {@link toWireText}. */
export function toWire<T = unknown>(value: unknown): T {
  return JSON.parse(toWireText(value)) as T;
}

/**
 * The key of a document that stores a large value of the state. While the document is being
 * written, there is a promise `stored`. It resolves when the value can be read.
 */
export interface StoredValue {
  key: string;
  stored?: Promise<unknown>;
}

/**
 * Placeholder for a stored value. It contains a random id, so that no text of a graph is equal to
 * it.
 */
const MARK = `stored value ${randomUUID()}`;

/**
 * Like {@link toWireText}, but leaves out the values for which `storedValue` returns a key. Also
 * returns `refs`: the position and key of each value that was left out. The promise `after`
 * resolves when all of these values can be read.
 */
export function toReferringText(
  value: unknown,
  storedValue: (value: object) => StoredValue | undefined,
): Pick<NewEvent, 'data' | 'refs' | 'after'> {
  let found: StoredValue[] = [];
  const text = stringify(value, () => {
    found = [];
    return function (key, made) {
      const raw = (this as Json)[key];
      const stored = typeof raw === 'object' && raw !== null ? storedValue(raw) : undefined;
      if (stored === undefined) return flattenMessage.call(this, key, made);
      found.push(stored);
      return MARK;
    };
  });
  if (found.length === 0 || text === undefined) return { data: text ?? 'null' };
  const parts = text.split(JSON.stringify(MARK));
  let at = 0;
  const refs = found.map(({ key }, index) => ({ at: (at += parts[index]?.length ?? 0), key }));
  const waits = found.flatMap(({ stored }) => (stored === undefined ? [] : [stored]));
  return { data: parts.join(''), refs, ...(waits.length > 0 && { after: Promise.all(waits) }) };
}

interface MessageObject {
  toDict(): { type: string; data: Json };
  getType?: () => string;
}

function flattenMessage(this: unknown, key: string, value: unknown): unknown {
  // If a value has a method `toJSON`, `JSON.stringify` passes the result of this method as `value`.
  // The original value is `this[key]`, because `this` is the object or list that contains it.
  const raw = (this as Json)[key];
  if (typeof raw === 'bigint') return raw.toString();
  return isMessage(raw) ? flat(raw, value) : value;
}

function isMessage(raw: unknown): raw is MessageObject {
  return typeof raw === 'object' && raw !== null && 'toDict' in raw && typeof raw.toDict === 'function';
}

/**
 * Returns a chat message as a flat object: its fields and its `type`. `made` is the result of the
 * message's `toJSON`. If `made` has LangChain's format, takes the fields from `made`, because a
 * call of `toDict` costs more.
 */
function flat(message: MessageObject, made: unknown): Json {
  const { lc, kwargs } = (made ?? {}) as { lc?: unknown; kwargs?: Json };
  if (lc === 1 && kwargs !== undefined && message.getType !== undefined) return { ...kwargs, type: message.getType() };
  const { type, data } = message.toDict();
  return { ...data, type };
}

/**
 * Returns the checkpoint that a config of LangGraph names, in the API's format. Returns null if the
 * config names none. With `needsId = false`, the config needs only a thread id.
 */
export function checkpointOf(config: unknown, needsId = true): Json | null {
  const configurable = (config as { configurable?: Json } | undefined)?.configurable;
  if (typeof configurable?.thread_id !== 'string') return null;
  if (needsId && typeof configurable.checkpoint_id !== 'string') return null;
  return {
    thread_id: configurable.thread_id,
    checkpoint_id: configurable.checkpoint_id ?? null,
    checkpoint_ns: configurable.checkpoint_ns ?? '',
    checkpoint_map: configurable.checkpoint_map ?? null,
  };
}

/**
 * Converts the payload of an event in stream mode `tasks`, or of a `debug` event about a task, to
 * the wire format.
 */
export function taskPayload(payload: Json): Json {
  if (checkpointOf(payload.state, false) === null) return payload;
  const { state, ...task } = payload;
  return { ...task, checkpoint: checkpointOf(state, false) };
}

/**
 * Converts the payload of a `debug` event about a checkpoint to the wire format. The recursion
 * limit in the payload is only what was left for this step. It is replaced by `recursionLimit`, the
 * limit of the whole run.
 */
export function debugCheckpointPayload(payload: Json, recursionLimit: number): Json {
  const { parentConfig, config, tasks, ...rest } = payload;
  return {
    ...rest,
    config: publicConfig(config, recursionLimit),
    parent_config: publicConfig(parentConfig, recursionLimit),
    checkpoint: checkpointOf(config),
    parent_checkpoint: checkpointOf(parentConfig),
    tasks: (tasks as Json[]).map(taskPayload),
  };
}

/** Converts the payload of stream mode `checkpoints` to the wire format. */
export function checkpointPayload(payload: Json): Json {
  return { values: payload.values, metadata: payload.metadata, next: payload.next };
}

function publicConfig(config: unknown, recursionLimit: number): unknown {
  if (typeof config !== 'object' || config === null || !('configurable' in config)) return config;
  const { callbacks: _callbacks, configurable, ...rest } = config as Json;
  const shown = Object.entries(publicConfigurable((configurable ?? {}) as Json)).filter(
    ([key]) => !key.startsWith('__'),
  );
  const limit = 'recursion_limit' in rest ? { recursion_limit: recursionLimit } : {};
  return { ...rest, ...limit, configurable: Object.fromEntries(shown) };
}
