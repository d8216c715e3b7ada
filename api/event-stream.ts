import {
  CONTROL_EVENTS,
  ENDED_RUN_STATUSES,
  errorCode,
  type AttemptData,
  type Caller,
  type EndedData,
  type EndedRunStatus,
  type Run,
  type StoredEvent,
} from '../protocol/index.js';
import type { EventLog } from '../streams/index.js';
import type { ApiContext } from './context.js';

/** One event as a client gets it. */
export interface ClientEvent {
  id: string;
  event: string;
  data: string;
}

/** Events that came together; `ended` with the last ones of the run. */
export interface EventBatch {
  events: ClientEvent[];
  ended?: EndedData;
}

export interface EventSource {
  threadId: string;
  runId: string;
  /** Offset after which to begin. */
  afterSeq: number;
  /** There may be events after it already: they are read first, so that none of a superseded attempt is told. */
  replay: boolean;
  /** How the run ended, where its record says so: nothing more will come. */
  ended?: EndedData;
  signal: AbortSignal;
}

const PAGE = 1_000;

/** The events of one run, to its end or to the signal. A reader sees each once, in order, whatever process it asks. */
export async function* runEvents(context: ApiContext, caller: Caller, source: EventSource): AsyncGenerator<EventBatch> {
  const reader = new RunReader(source);
  if (source.replay || source.ended) {
    yield* replay(context.events, caller, reader);
    if (reader.ended) return;
    if (source.ended) {
      yield { events: [], ended: source.ended };
      return;
    }
  }
  yield* follow(context, caller, reader, source.signal);
}

/** How a run ended, as its record says; `undefined` while it has not. */
export function endOf(run: Run): EndedData | undefined {
  if (!(ENDED_RUN_STATUSES as readonly string[]).includes(run.status)) return undefined;
  return { run_id: run.runId, status: run.status as EndedRunStatus, ...(run.error && { error: run.error }) };
}

/** Where one reader stands in the log, and what it must leave out. */
class RunReader {
  readonly threadId: string;
  readonly runId: string;
  cursor: number;
  ended = false;
  readonly #superseded: [first: number, last: number][] = [];

  constructor(source: EventSource) {
    this.threadId = source.threadId;
    this.runId = source.runId;
    this.cursor = source.afterSeq;
  }

  /** Learns what later attempts superseded; to be told of a page before it is taken. */
  note(page: readonly StoredEvent[]): void {
    for (const stored of page) {
      if (stored.runId !== this.runId || stored.event !== CONTROL_EVENTS.attempt) continue;
      this.#superseded.push(...(JSON.parse(stored.data) as AttemptData).superseded);
    }
  }

  /** Moves over a page and answers what of it the client is told. */
  take(page: readonly StoredEvent[]): EventBatch {
    const batch: EventBatch = { events: [] };
    for (const stored of page) {
      if (stored.seq <= this.cursor || this.ended) continue;
      this.cursor = stored.seq;
      if (stored.runId !== this.runId || this.#isSuperseded(stored.seq)) continue;
      const told = clientEvent(stored);
      if (told) batch.events.push(told);
      if (stored.event === CONTROL_EVENTS.ended) {
        this.ended = true;
        batch.ended = JSON.parse(stored.data) as EndedData;
      }
    }
    return batch;
  }

  endsIn(page: readonly StoredEvent[]): boolean {
    return page.some((stored) => stored.runId === this.runId && stored.event === CONTROL_EVENTS.ended);
  }

  #isSuperseded(seq: number): boolean {
    return this.#superseded.some(([first, last]) => seq >= first && seq <= last);
  }
}

/** What a client is told of a stored event; the end of a run shows in its error, or in the end of the stream. */
function clientEvent(stored: StoredEvent): ClientEvent | undefined {
  const id = `${stored.at.getTime()}-${stored.seq}`;
  if (stored.event === CONTROL_EVENTS.attempt) {
    const { run_id, attempt } = JSON.parse(stored.data) as AttemptData;
    return { id, event: 'metadata', data: JSON.stringify({ run_id, attempt }) };
  }
  if (stored.event === CONTROL_EVENTS.ended) {
    const { error } = JSON.parse(stored.data) as EndedData;
    return error && { id, event: 'error', data: JSON.stringify(error) };
  }
  return { id, event: stored.event, data: stored.data };
}

/**
 * What is in the log now, to the run's end at most. A backlog of more than a page is read twice: first for what was superseded, then to be
 * told.
 */
async function* replay(log: EventLog, caller: Caller, reader: RunReader): AsyncGenerator<EventBatch> {
  const pageAfter = (afterSeq: number) => log.read(caller, reader.threadId, { afterSeq, limit: PAGE });
  let page = await pageAfter(reader.cursor);
  reader.note(page);
  for (let ahead = page; isWhole(ahead) && !reader.endsIn(ahead); ) {
    ahead = await pageAfter(lastSeq(ahead));
    reader.note(ahead);
  }
  for (;;) {
    yield reader.take(page);
    if (!isWhole(page) || reader.ended) return;
    page = await pageAfter(reader.cursor);
    reader.note(page);
  }
}

async function* follow(
  context: ApiContext,
  caller: Caller,
  reader: RunReader,
  signal: AbortSignal,
): AsyncGenerator<EventBatch> {
  const watch = watchRecord(context, caller, reader);
  try {
    const until = AbortSignal.any([signal, watch.signal]);
    for await (const page of context.events.follow(caller, reader.threadId, {
      afterSeq: reader.cursor,
      signal: until,
    })) {
      reader.note(page);
      const batch = reader.take(page);
      if (batch.events.length > 0 || batch.ended) yield batch;
      if (reader.ended) return;
    }
  } finally {
    watch.stop();
  }
  if (signal.aborted || !watch.ended) return;
  yield* replay(context.events, caller, reader);
  if (!reader.ended) yield { events: [], ended: watch.ended };
}

interface RecordWatch {
  signal: AbortSignal;
  ended?: EndedData;
  stop(): void;
}

/**
 * A run that was taken away (rolled back, its thread deleted, its events expired) tells nobody that it ended: its record does. It has to
 * say so twice, since the last event may be a moment behind.
 */
function watchRecord(context: ApiContext, caller: Caller, { threadId, runId }: RunReader): RecordWatch {
  const over = new AbortController();
  let seen = false;
  const check = async () => {
    const ended = await recordedEnd(context, caller, threadId, runId);
    if (ended && seen) {
      watch.ended = ended;
      over.abort();
    }
    seen = ended !== undefined;
  };
  const timer = setInterval(() => {
    check().catch((error: unknown) => context.report(error, `end check of run ${runId}`));
  }, context.options.endCheckMs);
  const watch: RecordWatch = { signal: over.signal, stop: () => clearInterval(timer) };
  return watch;
}

async function recordedEnd(
  context: ApiContext,
  caller: Caller,
  threadId: string,
  runId: string,
): Promise<EndedData | undefined> {
  try {
    return endOf(await context.threads.getRun(caller, threadId, runId, { admittedOnly: false }));
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    return { run_id: runId, status: 'interrupted' };
  }
}

function isWhole(page: readonly StoredEvent[]): boolean {
  return page.length === PAGE;
}

function lastSeq(page: readonly StoredEvent[]): number {
  return page.at(-1)?.seq ?? 0;
}
