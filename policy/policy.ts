import type { Action, Authorize, Caller, Resource, ResourceAttributes } from '../protocol/index.js';

/**
 * Decides about one action. `attributes` reads the resource's owner and metadata when the policy
 * asks for them; undefined if the resource has no record. Throws `forbidden` to refuse.
 */
export type Policy = (
  caller: Caller,
  action: Action,
  resource: Resource,
  attributes: () => Promise<ResourceAttributes | undefined>,
) => Promise<void>;

/** Reads the attributes of a kind of resource. Undefined if there is no such record. */
export type AttributeReader = (caller: Caller, resource: Resource) => Promise<ResourceAttributes | undefined>;

/**
 * The decision function for guards. A record is read only if the policy asks for its attributes,
 * and at most once for each decision. Kinds without a reader have no attributes.
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
