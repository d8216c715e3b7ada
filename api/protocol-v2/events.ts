import type { StoredEvent } from '../../protocol/index.js';

/** An event of protocol v2 on the wire (`Event` of `@langchain/protocol`). */
export interface ProtocolEvent {
  type: 'event';
  event_id: string;
  seq: number;
  method: string;
  params: { namespace: string[]; timestamp: number; node?: string; data: unknown };
}

/** An event that has no number yet. */
export interface Draft {
  method: string;
  namespace: string[];
  node?: string;
  data: unknown;
}

export type AgentStatus = 'started' | 'running' | 'completed' | 'failed' | 'interrupted';

/**
 * One logged event becomes a few events of the protocol: each offset of the log has room for so many numbers. The product stays a safe
 * integer up to the log's twelve digits.
 */
const NUMBERS_PER_OFFSET = 4_000;

/** The `seq` of the n-th event that a logged event becomes. */
export function seqOf(offset: number, n: number): number {
  return offset * NUMBERS_PER_OFFSET + Math.min(n, NUMBERS_PER_OFFSET - 1);
}

/** The highest `seq` that the events up to an offset can have. */
export function lastSeqOf(offset: number): number {
  return offset === 0 ? 0 : seqOf(offset, NUMBERS_PER_OFFSET - 1);
}

export function offsetOf(seq: number): number {
  return Math.floor(seq / NUMBERS_PER_OFFSET);
}

/**
 * Numbers what a logged event became. Root lifecycle events carry their run in the id, in the form that LangGraph's SDK looks for: they
 * have no field for it.
 */
export function numbered(stored: StoredEvent, drafts: readonly Draft[]): ProtocolEvent[] {
  const timestamp = stored.at.getTime();
  return drafts.map(({ method, namespace, node, data }, n) => {
    const seq = seqOf(stored.seq, n);
    const id = `${timestamp}-${seq}`;
    const isRootLifecycle = method === 'lifecycle' && namespace.length === 0;
    return {
      type: 'event',
      event_id: isRootLifecycle ? `synth:${stored.runId}:${id}` : id,
      seq,
      method,
      params: { namespace, timestamp, ...(node !== undefined && { node }), data },
    };
  });
}

/** `messages|tools:1|agent:2` is `messages` of namespace `['tools:1', 'agent:2']`. */
export function splitEventName(name: string): { mode: string; namespace: string[] } {
  const [mode = '', ...namespace] = name.split('|');
  return { mode, namespace };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A text as it is, anything else as JSON; nothing is empty. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
