import type { EffectRecord } from './ledger.js';

/**
 * A turn begins with a message of the user. `ask` is the run for this message. If the run ends with
 * an interrupt, `answer` is the run for the answer to the interrupt.
 */
export type RunPart = 'ask' | 'answer';

/**
 * Says that the API or Temporal has accepted a message or the answer to an interrupt. From then on,
 * Colloquy must ensure that the run `runId` is executed until it ends.
 */
export interface AcceptedRecord {
  type: 'accepted';
  conversation: string;
  threadId: string;
  n: number;
  part: RunPart;
  runId: string;
  /** The text of the user's message, or the decision that answers the interrupt. */
  text: string;
  /** Time of the acceptance, in milliseconds since the epoch. */
  at: number;
}

/** An event as a client received it. */
export interface SeenEvent {
  /** The event id; empty if the event has none. */
  id: string;
  event: string;
  /**
   * The data of the event as JSON. For `values` only the messages of the state, each as
   * {@link StateMessage}. For stream modes that the checker does not read, a hash of the data.
   */
  data: string;
}

/** A chat message in the state of a thread. */
export interface StateMessage {
  id: string;
  type: string;
  text: string;
}

/** What a client received of a run: its events over all connections, or its result. */
export interface SeenRecord {
  type: 'seen';
  conversation: string;
  threadId: string;
  n: number;
  part: RunPart;
  runId: string;
  status: string;
  error?: string;
  /** True if the client requested the events of subgraphs. */
  subgraphs: boolean;
  /** Events that the client received during the run. Absent if it waited for the result instead. */
  live?: SeenEvent[];
  /** All events of the run, read again after the end of all conversations. */
  replay?: SeenEvent[];
  /** Messages in the result, if the client waited for the result. */
  result?: StateMessage[];
  connections: number;
  /** Time from the acceptance of the run until the client saw its end, in ms. */
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

/** The final state and history of a thread. */
export interface ThreadRecord {
  type: 'thread';
  conversation: string;
  threadId: string;
  status: string;
  /** Checkpoints of the thread, newest first. */
  history: CheckpointRecord[];
  state: { checkpointId: string; next: string[]; messages: StateMessage[] };
}

/** A violation that a client or the chaos program noticed itself, before the checker runs. */
export interface TroubleRecord {
  type: 'trouble';
  kind: string;
  conversation: string;
  threadId: string;
  runId?: string;
  detail: string;
}

/** Says that the misbehaving node of a run was executed. The node itself reports it. */
export interface ExecutionRecord {
  type: 'execution';
  conversation: string;
  n: number;
  runId: string;
}

/** An injected fault. Times are in milliseconds since the epoch. */
export interface FaultRecord {
  type: 'fault';
  victim: string;
  action: string;
  beganAt: number;
  endedAt: number;
}

export type LedgerRecord =
  | EffectRecord
  | ExecutionRecord
  | AcceptedRecord
  | SeenRecord
  | ThreadRecord
  | TroubleRecord
  | FaultRecord;

/** Returns the messages in the values of a state, as the API sends them. */
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

/** Returns the offset in an event id of the form `<ms>-<offset>`. */
export function offsetOf(id: string): number {
  return Number(id.split('-')[1] ?? Number.NaN);
}
