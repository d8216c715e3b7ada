import { DEFAULT_TENANT } from '../protocol/index.js';

/** A message to somebody outside. */
export interface OutboxMessage {
  tenant: string;
  threadId: string;
  to: { id: string; name: string; email: string };
  subject: string;
  body: string;
}

/** Where messages leave. The first `send` with a key counts; later ones with the same tenant and key change nothing. */
export interface Outbox {
  send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }>;
}

/** Key of the `configurable` of a factory call under which a composition root provides the {@link Outbox}. */
export const OUTBOX_KEY = '__colloquy_outbox';

/** Key of a run's `configurable` under which the executor says whose run it is. A graph run without an executor has the default tenant. */
export const TENANT_KEY = '__colloquy_tenant';

let fallback: MemoryOutbox | undefined;

/** The outbox that was provided; without one (the graph is run by hand, in a test) one in memory, the same for all graphs of the process. */
export function outboxFrom(configurable: Readonly<Record<string, unknown>> | undefined): Outbox {
  const provided = configurable?.[OUTBOX_KEY];
  if (provided === undefined) return (fallback ??= new MemoryOutbox());
  if (typeof (provided as Outbox | null)?.send === 'function') return provided as Outbox;
  throw new TypeError(`configurable.${OUTBOX_KEY}: expected an outbox with a send function, found ${typeof provided}`);
}

/** Whose run it is. */
export function tenantFrom(configurable: Readonly<Record<string, unknown>> | undefined): string {
  const tenant = configurable?.[TENANT_KEY];
  return typeof tenant === 'string' ? tenant : DEFAULT_TENANT;
}

/** Keeps messages as long as it lives. */
export class MemoryOutbox implements Outbox {
  readonly #sent = new Map<string, OutboxMessage>();

  send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }> {
    const id = `${message.tenant}/${key}`;
    const firstTime = !this.#sent.has(id);
    if (firstTime) this.#sent.set(id, structuredClone(message));
    return Promise.resolve({ firstTime });
  }

  /** In order of their first sending. */
  get messages(): OutboxMessage[] {
    return [...this.#sent.values()];
  }
}
