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

export interface Resource {
  kind: 'assistant' | 'graph' | 'thread' | 'run' | 'cron' | 'event' | 'checkpoint' | 'delivery' | 'item';
  id: string;
}

/** A decision: resolves when allowed, throws `forbidden` otherwise. The guard of `policy/` calls it. */
export type Authorize = (caller: Caller, action: Action, resource: Resource) => Promise<void>;

export const DEFAULT_TENANT = 'default';

/** A tenant name may stand in ids, keys and URLs, so it keeps to DNS label characters. */
export const TENANT_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;
