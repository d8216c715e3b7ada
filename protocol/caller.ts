import type { Action } from './actions.js';

/**
 * Who acts. `operator` stands for signals from the Temporal CLI or Web UI, which carry no caller.
 */
export interface Principal {
  kind: 'user' | 'agent' | 'service' | 'operator';
  id: string;
}

/**
 * Who makes a call, and for whom. Every call between rooms passes a caller; a port refuses a call
 * without one.
 */
export interface Caller {
  /** The outermost boundary of data, `[a-z0-9][a-z0-9-]{0,62}`. First part of every key. */
  tenant: string;
  principal: Principal;
  /** Principals for whom `principal` acts, nearest first. Empty: the principal acts for itself. */
  onBehalfOf: readonly Principal[];
}

/** The part of a caller that a record keeps: who asked for the record, and on whose behalf. */
export type Origin = Pick<Caller, 'principal' | 'onBehalfOf'>;

export function originOf({ principal, onBehalfOf }: Caller): Origin {
  return { principal, onBehalfOf };
}

/**
 * Returns the caller for a service of the platform. The service acts for itself, or for the origin
 * of its work.
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
 * Resolves if the action is allowed, throws `forbidden` otherwise. Called by the guard of
 * `policy/`.
 */
export type Authorize = (caller: Caller, action: Action, resource: Resource) => Promise<void>;

export const DEFAULT_TENANT = 'default';

/**
 * A tenant name is part of ids, keys and URLs, so it is limited to the characters of a DNS label.
 */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;
