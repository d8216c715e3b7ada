import { validateNamespace, type MatchCondition } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../protocol/index.js';

/** Joins labels. No label may contain it, so a joined path stands for exactly one namespace. */
const SEPARATOR = ':';
const ANY = '*';

export function pathOf(namespace: readonly string[]): string {
  return namespace.join(SEPARATOR);
}

export function namespaceOf(path: string): string[] {
  return path.split(SEPARATOR);
}

/**
 * Returns the key of an item. Two separators end the namespace. They are unambiguous, because no
 * label is empty.
 */
export function itemKey(tenant: string, namespace: readonly string[], key: string): string {
  return `${tenant}/${pathOf(namespace)}${SEPARATOR}${SEPARATOR}${key}`;
}

/**
 * Returns the keys of the namespace and of every namespace above it, up to the tenant's root. An
 * index of these keys finds all items under a prefix by equality.
 */
export function ancestorsOf(tenant: string, namespace: readonly string[]): string[] {
  return [`${tenant}/`, ...namespace.map((_, index) => `${tenant}/${pathOf(namespace.slice(0, index + 1))}`)];
}

/** Returns the key of one prefix, in the form in which {@link ancestorsOf} returns it. */
export function ancestor(tenant: string, prefix: readonly string[]): string {
  return `${tenant}/${pathOf(prefix)}`;
}

/**
 * Cuts the path of each prefix condition before its first wildcard, and returns the longest result.
 * Every matching namespace begins with the result.
 */
export function commonPrefix(conditions: readonly MatchCondition[]): string[] {
  const prefixes = conditions
    .filter(({ matchType }) => matchType === 'prefix')
    .map(({ path }) => {
      const wildcard = path.indexOf(ANY);
      return wildcard < 0 ? path : path.slice(0, wildcard);
    });
  return prefixes.reduce((longest, prefix) => (prefix.length > longest.length ? prefix : longest), []);
}

export function matches({ matchType, path }: MatchCondition, namespace: readonly string[]): boolean {
  if (path.length > namespace.length) return false;
  const from = matchType === 'prefix' ? 0 : namespace.length - path.length;
  return path.every((label, index) => label === ANY || label === namespace[from + index]);
}

/** Checks a namespace. Errors: `invalid_argument`, with LangGraph's message. */
export function guardNamespace(namespace: string[], options: { allowEmpty?: boolean } = {}): void {
  try {
    validateNamespace(namespace, { allowReservedRoot: true, ...options });
  } catch (cause) {
    throw new ColloquyError('invalid_argument', `namespace: ${(cause as Error).message}`, {
      field: 'namespace',
      cause,
    });
  }
}
