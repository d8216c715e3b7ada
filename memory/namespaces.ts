import { validateNamespace, type MatchCondition } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../protocol/index.js';

/**
 * Stands between the labels of a namespace in a path. No label may contain it, so a path stands for
 * exactly one namespace.
 */
const SEPARATOR = ':';
const ANY = '*';

export function pathOf(namespace: readonly string[]): string {
  return namespace.join(SEPARATOR);
}

export function namespaceOf(path: string): string[] {
  return path.split(SEPARATOR);
}

/**
 * Returns the `_id` of an item's document: `<tenant>/<path>::<key>`. The first `::` is always the
 * end of the namespace, because no label is empty.
 */
export function itemKey(tenant: string, namespace: readonly string[], key: string): string {
  return `${tenant}/${pathOf(namespace)}${SEPARATOR}${SEPARATOR}${key}`;
}

/**
 * Returns the field `ancestors` of an item's document: a key for the item's namespace and for each
 * prefix of that namespace, down to the empty prefix of the tenant. With an index on these keys, a
 * query finds all items under a prefix by equality.
 */
export function ancestorsOf(tenant: string, namespace: readonly string[]): string[] {
  return [`${tenant}/`, ...namespace.map((_, index) => `${tenant}/${pathOf(namespace.slice(0, index + 1))}`)];
}

/**
 * Returns the key of one prefix of a namespace, in the form in which {@link ancestorsOf} returns
 * it.
 */
export function ancestor(tenant: string, prefix: readonly string[]): string {
  return `${tenant}/${pathOf(prefix)}`;
}

/**
 * Returns the longest known prefix of the namespaces that match all conditions. For this, the path
 * of each prefix condition is cut before its first wildcard, and the longest result is taken.
 * Without prefix conditions, the result is empty.
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

/**
 * Throws if a namespace is not valid. Errors: `invalid_argument`, with the message of LangGraph's
 * own check.
 */
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
