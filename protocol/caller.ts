import type { Action } from './actions.js';

/** Who acts. `operator` is whoever signals with the Temporal CLI or Web UI: no caller of ours came with it. */
export interface Principal {
  kind: 'user' | 'agent' | 'service' | 'operator';
  id: string;
}

/** Travels with every call between rooms; a port refuses a call without one. */
export interface Caller {
  /** The outermost silo, `[a-z0-9][a-z0-9-]{0,62}`; first part of every key. */
  tenant: string;
  principal: Principal;
  /** For whom the principal acts, nearest first; empty when for itself. */
  onBehalfOf: readonly Principal[];
}

/** Who asked for something, and for whom: the part of a caller that a record keeps. */
export type Origin = Pick<Caller, 'principal' | 'onBehalfOf'>;

export function originOf({ principal, onBehalfOf }: Caller): Origin {
  return { principal, onBehalfOf };
}

/** A service of the platform at work, by itself or for the one who asked for it. */
export function serviceCaller(tenant: string, id: string, origin?: Origin): Caller {
  const onBehalfOf = origin === undefined ? [] : [origin.principal, ...origin.onBehalfOf];
  return { tenant, principal: { kind: 'service', id }, onBehalfOf };
}

export interface Resource {
  kind: 'assistant' | 'graph' | 'thread' | 'run' | 'cron' | 'event' | 'checkpoint' | 'delivery' | 'item';
  id: string;
}

/** A decision: resolves when allowed, throws `forbidden` otherwise. The guard of `policy/` calls it. */
export type Authorize = (caller: Caller, action: Action, resource: Resource) => Promise<void>;

export const DEFAULT_TENANT = 'default';

/** A tenant name may stand in ids, keys and URLs, so it keeps to DNS label characters. */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;
