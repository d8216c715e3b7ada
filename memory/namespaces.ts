import { validateNamespace, type MatchCondition } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../protocol/index.js';

/**
 * Separates the labels in the path of a namespace: the path of `['a', 'b']` is `a:b`. No label may
 * contain the separator, so two namespaces never have the same path.
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
 * Returns the field `ancestors` of an item's document: one key for each prefix of the item's
 * namespace, from the empty prefix to the whole namespace. For the tenant `t` and the namespace
 * `['a', 'b']`, the keys are `t/`, `t/a` and `t/a:b`. The field has an index. So a query finds all
 * items under a prefix by equality with the key of the prefix.
 */
export function ancestorsOf(tenant: string, namespace: readonly string[]): string[] {
  return [`${tenant}/`, ...namespace.map((_, index) => `${tenant}/${pathOf(namespace.slice(0, index + 1))}`)];
}

/** Returns the key of one prefix of a namespace. It is one of the keys of {@link ancestorsOf}. */
export function ancestor(tenant: string, prefix: readonly string[]): string {
  return `${tenant}/${pathOf(prefix)}`;
}

/**
 * Returns the longest prefix that a namespace certainly has if it matches all conditions. Each
 * prefix condition is cut before its first wildcard, and the longest result is taken. Example:
 * `['a', 'b']` for the prefix condition `['a', 'b', '*']`. Without prefix conditions, the result is
 * empty.
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
