import type { Action } from './actions.js';

/**
 * Who acts. `operator` stands for signals from the Temporal CLI or Web UI, which carry no caller.
 */
export interface Principal {
  kind: 'user' | 'agent' | 'service' | 'operator';
  id: string;
}

/** Passed with every call between rooms. A port refuses a call without one. */
export interface Caller {
  /** The outermost boundary of data, `[a-z0-9][a-z0-9-]{0,62}`. First part of every key. */
  tenant: string;
  principal: Principal;
  /** Principals that the principal acts for, nearest first. Empty: it acts for itself. */
  onBehalfOf: readonly Principal[];
}

/** The part of a caller that a record keeps: who asked for it, and on whose behalf. */
export type Origin = Pick<Caller, 'principal' | 'onBehalfOf'>;

export function originOf({ principal, onBehalfOf }: Caller): Origin {
  return { principal, onBehalfOf };
}

/** A service of the platform that acts for itself, or for the caller who asked for its work. */
export function serviceCaller(tenant: string, id: string, origin?: Origin): Caller {
  const onBehalfOf = origin === undefined ? [] : [origin.principal, ...origin.onBehalfOf];
  return { tenant, principal: { kind: 'service', id }, onBehalfOf };
}

export interface Resource {
  kind: 'assistant' | 'graph' | 'thread' | 'run' | 'cron' | 'event' | 'checkpoint' | 'delivery' | 'item';
  id: string;
  /** Of a run. */
  threadId?: string;
}

/** What a policy can know of a resource beside its id. */
export interface ResourceAttributes {
  /** Who created the record, and for whom. Absent on records from before owners were kept. */
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
