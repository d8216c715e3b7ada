import {
  CONTROL_EVENTS,
  SupersededEvents,
  endOf,
  firstOf,
  supersededRanges,
  type AttemptData,
  type Caller,
  type EndedData,
  type StoredEvent,
  ifFound,
} from '../protocol/index.js';
import type { EventLog } from '../streams/index.js';
import type { ConversationContext } from './context.js';

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
export async function* runEvents(
  context: ConversationContext,
  caller: Caller,
  source: EventSource,
): AsyncGenerator<EventBatch> {
  const reader = new RunReader(source);
  if (source.replay || source.ended) {
    yield* replay(context.events, caller, reader);
    if (reader.ended) return;
    if (source.ended) {
      yield endFromRecord(source.ended, reader);
      return;
    }
  }
  yield* follow(context, caller, reader, source.signal);
}

/** Where one reader stands in the log, and what it must leave out. */
class RunReader {
  readonly threadId: string;
  readonly runId: string;
  cursor: number;
  ended = false;
  readonly #superseded = new SupersededEvents();

  constructor(source: EventSource) {
    this.threadId = source.threadId;
    this.runId = source.runId;
    this.cursor = source.afterSeq;
  }

  /** Learns what later attempts superseded; to be told of a page before it is taken. */
  note(page: readonly StoredEvent[]): void {
    this.#superseded.note(page);
  }

  /** Moves over a page and answers what of it the client is told. */
  take(page: readonly StoredEvent[]): EventBatch {
    const batch: EventBatch = { events: [] };
    for (const stored of page) {
      if (stored.seq <= this.cursor || this.ended) continue;
      this.cursor = stored.seq;
      if (stored.runId !== this.runId || this.#superseded.has(stored)) continue;
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
}

/** What a client is told of a stored event. The end of a run is told by the end of the stream. */
export function clientEvent(stored: StoredEvent): ClientEvent | undefined {
  const id = `${stored.at.getTime()}-${stored.seq}`;
  if (stored.event === CONTROL_EVENTS.ended) return undefined;
  if (stored.event !== CONTROL_EVENTS.attempt) return { id, event: stored.event, data: stored.data };
  const { run_id, attempt } = JSON.parse(stored.data) as AttemptData;
  return { id, event: 'metadata', data: JSON.stringify({ run_id, attempt, superseded: supersededRanges(stored) }) };
}

/** The end of a run whose last events are not in the log any more: what its record says. */
function endFromRecord(ended: EndedData, reader: RunReader): EventBatch {
  const { error } = ended;
  const id = `${Date.now()}-${reader.cursor}`;
  return { events: error ? [{ id, event: 'error', data: JSON.stringify(error) }] : [], ended };
}

/**
 * What is in the log now, to the run's end at most. A backlog of more than a page is read twice: first for what was superseded, then to be
 * told.
 */
async function* replay(log: EventLog, caller: Caller, reader: RunReader): AsyncGenerator<EventBatch> {
  const pageAfter = (afterSeq: number, bare = false) =>
    log.read(caller, reader.threadId, { afterSeq, limit: PAGE, bare });
  let page = await pageAfter(reader.cursor);
  reader.note(page);
  for (let ahead = page; ahead.length > 0 && !reader.endsIn(ahead); ) {
    ahead = await pageAfter(lastSeq(ahead), true);
    reader.note(ahead);
  }
  for (; page.length > 0; page = await pageAfter(reader.cursor)) {
    reader.note(page);
    yield reader.take(page);
    if (reader.ended) return;
  }
}

async function* follow(
  context: ConversationContext,
  caller: Caller,
  reader: RunReader,
  signal: AbortSignal,
): AsyncGenerator<EventBatch> {
  const watch = watchRecord(context, caller, reader);
  const { signal: until, release } = firstOf(signal, watch.signal);
  try {
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
    release();
    watch.stop();
  }
  if (signal.aborted || !watch.signal.aborted || !watch.ended) return;
  yield* replay(context.events, caller, reader);
  if (!reader.ended) yield endFromRecord(watch.ended, reader);
}

interface RecordWatch {
  signal: AbortSignal;
  ended?: EndedData;
  stop(): void;
}

/** After a record was seen ended, the last event gets so long to come. */
const LAST_EVENT_MS = 1_000;

/**
 * A run whose last event never came (its writer died, it was rolled back, its thread deleted, its events expired) tells nobody that it
 * ended: its record does.
 */
function watchRecord(context: ConversationContext, caller: Caller, { threadId, runId }: RunReader): RecordWatch {
  const over = new AbortController();
  const { endCheckMs } = context.options;
  let timer = setTimeout(check, endCheckMs);
  let stopped = false;
  const watch: RecordWatch = {
    signal: over.signal,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
  return watch;

  function checkIn(ms: number): void {
    if (!stopped) timer = setTimeout(check, ms);
  }

  async function check(): Promise<void> {
    try {
      const ended = await recordedEnd(context, caller, threadId, runId);
      const seenBefore = watch.ended !== undefined;
      if (ended) watch.ended = ended;
      if (ended && seenBefore) over.abort();
      else checkIn(ended ? Math.min(LAST_EVENT_MS, endCheckMs) : endCheckMs);
    } catch (error) {
      context.report(error, `end check of run ${runId}`);
      checkIn(endCheckMs);
    }
  }
}

async function recordedEnd(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  runId: string,
): Promise<EndedData | undefined> {
  const run = await ifFound(context.threads.getRun(caller, threadId, runId, { admittedOnly: false }));
  return run === undefined ? { run_id: runId, status: 'interrupted' } : endOf(run);
}

function lastSeq(page: readonly StoredEvent[]): number {
  return page.at(-1)?.seq ?? 0;
}
