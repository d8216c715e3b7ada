import type { StoredEvent } from '../../protocol/index.js';

/** An event of protocol v2 on the wire (`Event` of `@langchain/protocol`). */
export interface ProtocolEvent {
  type: 'event';
  event_id: string;
  seq: number;
  method: string;
  params: { namespace: string[]; timestamp: number; node?: string; data: unknown };
}

/** An event without a sequence number. */
export interface DraftEvent {
  method: string;
  namespace: string[];
  node?: string;
  data: unknown;
}

export type AgentStatus = 'started' | 'running' | 'completed' | 'failed' | 'interrupted';

/**
 * A logged event becomes several protocol events, so each offset of the log reserves this many
 * sequence numbers. The sequence numbers stay safe integers for offsets of up to twelve digits.
 */
const NUMBERS_PER_OFFSET = 4_000;

/** Returns the `seq` of the n-th protocol event (from 0) of the logged event at an offset. */
export function seqOf(offset: number, n: number): number {
  return offset * NUMBERS_PER_OFFSET + Math.min(n, NUMBERS_PER_OFFSET - 1);
}

/** Returns the highest possible `seq` of the events up to an offset. */
export function lastSeqOf(offset: number): number {
  return offset === 0 ? 0 : seqOf(offset, NUMBERS_PER_OFFSET - 1);
}

export function offsetOf(seq: number): number {
  return Math.floor(seq / NUMBERS_PER_OFFSET);
}

/**
 * Assigns sequence numbers to the protocol events of one logged event. A lifecycle event of the
 * root has no field for the id of its run. Its event id therefore contains the run id, in the form
 * that LangGraph's SDK parses.
 */
export function withSequenceNumbers(stored: StoredEvent, drafts: readonly DraftEvent[]): ProtocolEvent[] {
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

/**
 * Splits the name of a logged event. Example: `messages|tools:1|agent:2` has the mode `messages`
 * and the namespace `['tools:1', 'agent:2']`.
 */
export function splitEventName(name: string): { mode: string; namespace: string[] } {
  const [mode = '', ...namespace] = name.split('|');
  return { mode, namespace };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Returns a value as text: a string unchanged, null and undefined as an empty string, and any other
 * value as JSON.
 */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
