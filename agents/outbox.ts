import { DEFAULT_TENANT } from '../protocol/index.js';

/** A message that a graph sends to a person outside of the conversation. */
export interface OutboxMessage {
  tenant: string;
  threadId: string;
  to: { id: string; name: string; email: string };
  subject: string;
  body: string;
}

/** Sends messages. A second call of `send` with the same tenant and key has no effect. */
export interface Outbox {
  send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }>;
}

/**
 * Key in `config.configurable` under which a graph factory finds the {@link Outbox}. The worker
 * provides it.
 */
export const OUTBOX_KEY = '__colloquy_outbox';

/**
 * Key in `config.configurable` under which the nodes of a graph find the tenant of the run. The
 * step that executes the graph sets it. If it is absent, as in a test, the default tenant applies.
 * A `RemoteGraph` sends the other keys of `configurable` to its server, but none with the prefix
 * `__pregel_`.
 */
export const TENANT_KEY = '__pregel_colloquy_tenant';

let fallback: MemoryOutbox | undefined;

/**
 * Returns the outbox in the config of a graph factory. If there is none, as in a test, returns an
 * outbox in memory that all runs share.
 */
export function outboxFrom(configurable: Readonly<Record<string, unknown>> | undefined): Outbox {
  const provided = configurable?.[OUTBOX_KEY];
  if (provided === undefined) return (fallback ??= new MemoryOutbox());
  if (typeof (provided as Outbox | null)?.send === 'function') return provided as Outbox;
  throw new TypeError(`configurable.${OUTBOX_KEY}: expected an outbox with a send function, found ${typeof provided}`);
}

/** Returns the tenant of the run. */
export function tenantFrom(configurable: Readonly<Record<string, unknown>> | undefined): string {
  const tenant = configurable?.[TENANT_KEY];
  return typeof tenant === 'string' ? tenant : DEFAULT_TENANT;
}

/** An outbox that keeps its messages in memory and sends nothing. */
export class MemoryOutbox implements Outbox {
  readonly #sent = new Map<string, OutboxMessage>();

  send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }> {
    const id = `${message.tenant}/${key}`;
    const firstTime = !this.#sent.has(id);
    if (firstTime) this.#sent.set(id, structuredClone(message));
    return Promise.resolve({ firstTime });
  }

  /** All messages, in the order of their first `send`. */
  get messages(): OutboxMessage[] {
    return [...this.#sent.values()];
  }
}
