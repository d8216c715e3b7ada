import type { Action, Authorize, Caller, Resource, ResourceAttributes } from '../protocol/index.js';

/**
 * Decides whether a caller may do one action on a resource. Throws `forbidden` if the caller may
 * not. `attributes` reads the owner and the metadata of the resource; it returns undefined if the
 * resource has no record.
 */
export type Policy = (
  caller: Caller,
  action: Action,
  resource: Resource,
  attributes: () => Promise<ResourceAttributes | undefined>,
) => Promise<void>;

/**
 * Reads the owner and the metadata of a resource of one kind. Returns undefined if the resource has
 * no record.
 */
export type AttributeReader = (caller: Caller, resource: Resource) => Promise<ResourceAttributes | undefined>;

/**
 * Returns the function that `guarded` calls before each call of a port interface. The function asks
 * the policy for a decision. It reads the record of the resource only if the policy calls
 * `attributes`, and at most once for each decision. If `readers` has no reader for a kind of
 * resource, `attributes` returns undefined for that kind.
 */
export function authorizeBy(
  policy: Policy,
  readers: Readonly<Partial<Record<Resource['kind'], AttributeReader>>>,
): Authorize {
  return (caller, action, resource) => {
    let read: Promise<ResourceAttributes | undefined> | undefined;
    const attributes = () => (read ??= readers[resource.kind]?.(caller, resource) ?? Promise.resolve(undefined));
    return policy(caller, action, resource, attributes);
  };
}
