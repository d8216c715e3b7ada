import { STATELESS_METADATA } from '../thread.js';
import { jsonObject } from './common.js';
import { MAX_NAME } from './text.js';

const SHOWN_KEY_LENGTH = 40;

/**
 * Metadata that a search looks for. This schema refuses keys that are too long. It does not limit
 * the number of values, because the code in `threads/` does.
 */
export const searchedMetadata = jsonObject.superRefine((given, context) => {
  const key = findLongKey(given);
  if (key === undefined) return;
  const shown = JSON.stringify(`${key.slice(0, SHOWN_KEY_LENGTH)}…`);
  const message = `key ${shown} has ${key.length} characters; expected at most ${MAX_NAME}`;
  context.addIssue({ code: 'custom', message });
});

const SERVER_KEYS = Object.keys(STATELESS_METADATA);

/**
 * Metadata to store. Refuses the keys with which the server marks the threads of stateless runs.
 * The sweeper deletes threads that have such a key. So a client that may only change a thread's
 * metadata could delete the thread by setting the key.
 */
export const metadata = searchedMetadata.superRefine((given, context) => {
  for (const key of SERVER_KEYS.filter((one) => Object.hasOwn(given, one))) {
    const message = 'is reserved for the server, which marks threads of stateless runs with it; remove it';
    context.addIssue({ code: 'custom', path: [key], message });
  }
});

/**
 * Searches all levels of a value for a key that is too long. Returns the key, or undefined if there
 * is none. Uses a list instead of recursion, so that deep values cannot exhaust the stack.
 */
function findLongKey(value: object): string | undefined {
  const waiting: object[] = [value];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (!Array.isArray(one)) {
      const key = Object.keys(one).find(({ length }) => length > MAX_NAME);
      if (key !== undefined) return key;
    }
    for (const inner of Object.values(one) as unknown[]) {
      if (typeof inner === 'object' && inner !== null) waiting.push(inner);
    }
  }
  return undefined;
}
