import { DEFAULT_TENANT } from '../protocol/index.js';

/** A message to an external recipient. */
export interface OutboxMessage {
  tenant: string;
  threadId: string;
  to: { id: string; name: string; email: string };
  subject: string;
  body: string;
}

/** Sends messages. If `send` is called again with the same tenant and key, it has no effect. */
export interface Outbox {
  send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }>;
}

/**
 * Key in the `configurable` of a factory call under which a composition root provides the {@link
 * Outbox}.
 */
export const OUTBOX_KEY = '__colloquy_outbox';

/**
 * Key in the `configurable` of a run under which the executor provides the run's tenant. Without an
 * executor the default tenant applies.
 */
export const TENANT_KEY = '__colloquy_tenant';

let fallback: MemoryOutbox | undefined;

/**
 * Returns the provided outbox. If none is provided, as in a test, returns an outbox in memory that
 * all runs share.
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

/** Keeps messages in memory. */
export class MemoryOutbox implements Outbox {
  readonly #sent = new Map<string, OutboxMessage>();

  send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }> {
    const id = `${message.tenant}/${key}`;
    const firstTime = !this.#sent.has(id);
    if (firstTime) this.#sent.set(id, structuredClone(message));
    return Promise.resolve({ firstTime });
  }

  /** The messages in the order in which they were first sent. */
  get messages(): OutboxMessage[] {
    return [...this.#sent.values()];
  }
}
