import type { Action } from './actions.js';

/**
 * Who acts. The kind `operator` stands for a person who signals a workflow with the Temporal CLI or
 * Web UI, because such a signal carries no caller.
 */
export interface Principal {
  kind: 'user' | 'agent' | 'service' | 'operator';
  id: string;
}

/**
 * Who makes a call, and for whom. A call from one room (top-level folder) to another passes a
 * caller if it reads or writes data of a tenant.
 */
export interface Caller {
  /**
   * Name of the tenant, `[a-z0-9][a-z0-9-]{0,62}`. The data of different tenants are separate:
   * every database key begins with the name of the tenant.
   */
  tenant: string;
  principal: Principal;
  /**
   * Principals for whom `principal` acts, as a chain: `principal` acts for the first one, the first
   * one for the second one, and so on. Empty: `principal` acts for itself.
   */
  onBehalfOf: readonly Principal[];
}

/** The part of a caller that a record keeps: who created the record, and on whose behalf. */
export type Origin = Pick<Caller, 'principal' | 'onBehalfOf'>;

export function originOf({ principal, onBehalfOf }: Caller): Origin {
  return { principal, onBehalfOf };
}

/**
 * Returns the caller for a service of the platform, such as the worker. With `origin`, the service
 * acts on behalf of the principals in it; otherwise it acts for itself.
 */
export function serviceCaller(tenant: string, id: string, origin?: Origin): Caller {
  const onBehalfOf = origin === undefined ? [] : [origin.principal, ...origin.onBehalfOf];
  return { tenant, principal: { kind: 'service', id }, onBehalfOf };
}

export interface Resource {
  kind: 'assistant' | 'graph' | 'thread' | 'run' | 'cron' | 'event' | 'checkpoint' | 'delivery' | 'item';
  id: string;
  /** Thread of the run, if the resource is a run. */
  threadId?: string;
}

/** What a policy can know about a resource besides its id. */
export interface ResourceAttributes {
  /** Who created the record, and for whom. Absent on records that are older than this field. */
  owner?: Origin;
  metadata: Record<string, unknown>;
}

/**
 * Authorizes an action of a caller: resolves if the action is allowed, rejects with `forbidden`
 * otherwise. Guarded port interfaces (`policy/guard.ts`) call it before each method.
 */
export type Authorize = (caller: Caller, action: Action, resource: Resource) => Promise<void>;

export const DEFAULT_TENANT = 'default';

/**
 * A tenant name is part of ids, keys and URLs, so it is limited to the characters of a DNS label.
 */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;
