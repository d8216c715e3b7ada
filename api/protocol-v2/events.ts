import type { StoredEvent } from '../../protocol/index.js';

/** An event of protocol v2 as a client receives it (`Event` of `@langchain/protocol`). */
export interface ProtocolEvent {
  type: 'event';
  event_id: string;
  seq: number;
  method: string;
  params: { namespace: string[]; timestamp: number; node?: string; data: unknown };
}

/** A protocol event that has no sequence number yet. */
export interface DraftEvent {
  method: string;
  namespace: string[];
  node?: string;
  data: unknown;
}

export type AgentStatus = 'started' | 'running' | 'completed' | 'failed' | 'interrupted';

/**
 * Number of sequence numbers that each offset of the event log reserves, because one logged event
 * becomes several protocol events. The sequence numbers stay safe integers for offsets of up to
 * twelve digits.
 */
const NUMBERS_PER_OFFSET = 4_000;

/**
 * Returns the sequence number of a protocol event. The logged event at `offset` becomes several
 * protocol events, and `n` is the index of this one among them, from 0. If there are more than
 * `NUMBERS_PER_OFFSET` of them, the last ones share a number.
 */
export function seqOf(offset: number, n: number): number {
  return offset * NUMBERS_PER_OFFSET + Math.min(n, NUMBERS_PER_OFFSET - 1);
}

/**
 * Returns the highest possible sequence number of a protocol event that comes from a logged event
 * at this offset or before it.
 */
export function lastSeqOf(offset: number): number {
  return offset === 0 ? 0 : seqOf(offset, NUMBERS_PER_OFFSET - 1);
}

export function offsetOf(seq: number): number {
  return Math.floor(seq / NUMBERS_PER_OFFSET);
}

/**
 * Assigns sequence numbers to the protocol events that one logged event becomes. A lifecycle event
 * of the root namespace has no field for the run id. So its event id contains the run id, in the
 * form that LangGraph's SDK parses.
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
 * Converts a value to a string: null and undefined to an empty string, a string to itself, and any
 * other value to JSON.
 */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
