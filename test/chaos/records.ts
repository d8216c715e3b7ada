import type { EffectRecord } from './ledger.js';

/** The run of a turn: for the message, or for the answer to its interrupt. */
export type RunPart = 'ask' | 'answer';

/** The API or Temporal has accepted a message, which must now be answered. */
export interface AcceptedRecord {
  type: 'accepted';
  conversation: string;
  threadId: string;
  n: number;
  part: RunPart;
  runId: string;
  /** The message or the decision. */
  text: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** An event as a client received it. */
export interface SeenEvent {
  /** Empty if the event has no id. */
  id: string;
  event: string;
  /**
   * JSON text. For `values` only the messages, each as {@link StateMessage}. For unchecked modes a
   * hash.
   */
  data: string;
}

/** A message in a state. */
export interface StateMessage {
  id: string;
  type: string;
  text: string;
}

/** All events that a client received of a run, over all connections. */
export interface SeenRecord {
  type: 'seen';
  conversation: string;
  threadId: string;
  n: number;
  part: RunPart;
  runId: string;
  status: string;
  error?: string;
  /** True if events of subgraphs were streamed. */
  subgraphs: boolean;
  /** Absent for a client that waited for the result. */
  live?: SeenEvent[];
  /** The same stream, read again from its start at the end. */
  replay?: SeenEvent[];
  /** The result that a waiting client received. */
  result?: StateMessage[];
  connections: number;
  /** Time from acceptance to end, in ms. */
  tookMs: number;
}

/** A checkpoint as the API returns it. */
export interface CheckpointRecord {
  id: string;
  parent: string | null;
  step: number;
  source: string;
  messages: StateMessage[];
}

/** The final state of a thread. */
export interface ThreadRecord {
  type: 'thread';
  conversation: string;
  threadId: string;
  status: string;
  /** Newest first. */
  history: CheckpointRecord[];
  state: { checkpointId: string; next: string[]; messages: StateMessage[] };
}

/** A violation that a client or the program noticed at once. */
export interface TroubleRecord {
  type: 'trouble';
  kind: string;
  conversation: string;
  threadId: string;
  runId?: string;
  detail: string;
}

/** An injected fault. Times are in milliseconds since the epoch. */
export interface FaultRecord {
  type: 'fault';
  victim: string;
  action: string;
  beganAt: number;
  endedAt: number;
}

export type LedgerRecord = EffectRecord | AcceptedRecord | SeenRecord | ThreadRecord | TroubleRecord | FaultRecord;

/** Messages of a state on the wire. */
export function messagesOf(values: unknown): StateMessage[] {
  const messages = (values as { messages?: WireMessage[] } | null)?.messages ?? [];
  return messages.map((message) => ({ id: message.id ?? '', type: message.type ?? '', text: textOf(message.content) }));
}

export interface WireMessage {
  id?: string;
  type?: string;
  content?: unknown;
}

export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.map((block: { text?: string }) => block.text ?? '').join('') : '';
}

/** Offset of an event id `<ms>-<offset>`. */
export function offsetOf(id: string): number {
  return Number(id.split('-')[1] ?? Number.NaN);
}
