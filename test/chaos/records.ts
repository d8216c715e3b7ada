import type { EffectRecord } from './ledger.js';

/** Which run of a turn: the message, or the answer to the question that came of it. */
export type Part = 'ask' | 'answer';

/** The API (or Temporal) has accepted a message: from now on it must be answered. */
export interface AcceptedRecord {
  type: 'accepted';
  conversation: string;
  threadId: string;
  n: number;
  part: Part;
  runId: string;
  /** The message, or the decision. */
  text: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** An event as a client got it. */
export interface SeenEvent {
  /** Empty for an event without one. */
  id: string;
  event: string;
  /** JSON text. Of `values` only the messages, each as {@link Told}; of modes that are not looked into, a hash. */
  data: string;
}

/** A message as it stands in a state. */
export interface Told {
  id: string;
  type: string;
  text: string;
}

/** Everything that a client saw of a run, over all its connections. */
export interface SeenRecord {
  type: 'seen';
  conversation: string;
  threadId: string;
  n: number;
  part: Part;
  runId: string;
  status: string;
  error?: string;
  /** Streamed with the events of subgraphs. */
  subgraphs: boolean;
  /** Absent for a client that waited for the result. */
  live?: SeenEvent[];
  /** The same stream read once more from its start, after everything. */
  replay?: SeenEvent[];
  /** What a waiting client got. */
  result?: Told[];
  connections: number;
  /** From acceptance to end, in ms. */
  tookMs: number;
}

/** A checkpoint, as the API shows it. */
export interface CheckpointRecord {
  id: string;
  parent: string | null;
  step: number;
  source: string;
  messages: Told[];
}

/** How a thread stood when all was over. */
export interface ThreadRecord {
  type: 'thread';
  conversation: string;
  threadId: string;
  status: string;
  /** Newest first. */
  history: CheckpointRecord[];
  state: { checkpointId: string; next: string[]; messages: Told[] };
}

/** What a client, or the program, found wrong on the spot. */
export interface TroubleRecord {
  type: 'trouble';
  kind: string;
  conversation: string;
  threadId: string;
  runId?: string;
  detail: string;
}

/** Something was broken on purpose; times in milliseconds since the epoch. */
export interface FaultRecord {
  type: 'fault';
  victim: string;
  action: string;
  beganAt: number;
  endedAt: number;
}

export type LedgerRecord = EffectRecord | AcceptedRecord | SeenRecord | ThreadRecord | TroubleRecord | FaultRecord;

/** Messages of a state on the wire. */
export function messagesOf(values: unknown): Told[] {
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
