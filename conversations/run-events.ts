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

/** A server-sent event. `data` is JSON text. */
export interface ClientEvent {
  id: string;
  event: string;
  data: string;
}

/** A batch of events. `ended` says how the run ended, and is set only in the run's last batch. */
interface RunEventBatch {
  events: ClientEvent[];
  ended?: EndedData;
}

export interface EventSource {
  threadId: string;
  runId: string;
  /** An offset of the event log. Only events with higher offsets are read. */
  afterSeq: number;
  /**
   * True if the log may already have events after `afterSeq`. These stored events are then read
   * first, to find and leave out the events that a later attempt has superseded.
   */
  replay: boolean;
  /**
   * How the run ended. Set if the run's record already shows this. Then only the stored events are
   * read, because no more events are written.
   */
  ended?: EndedData;
  signal: AbortSignal;
}

const PAGE = 1_000;

/**
 * Yields the events of one run, each once and in order, until the run ends or the signal is
 * aborted. The events come from the event log, so every process can yield them.
 */
export async function* runEvents(
  context: ConversationContext,
  caller: Caller,
  source: EventSource,
): AsyncGenerator<RunEventBatch> {
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

/**
 * Takes the events of one run from pages of the event log. Remembers the offset up to which the log
 * was read (`cursor`), and which events later attempts have superseded.
 */
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

  /**
   * Remembers the offsets that are superseded by the attempts which begin in this page of events.
   * Call this for a page before `takePage`.
   */
  noteSuperseded(page: readonly StoredEvent[]): void {
    this.#superseded.note(page);
  }

  /**
   * Advances the cursor to the end of a page. Returns the page's events of this run in the form
   * that clients get. Leaves out superseded events.
   */
  takePage(page: readonly StoredEvent[]): RunEventBatch {
    const batch: RunEventBatch = { events: [] };
    for (const stored of page) {
      if (stored.seq <= this.cursor || this.ended) continue;
      this.cursor = stored.seq;
      if (stored.runId !== this.runId || this.#superseded.has(stored)) continue;
      const clientSide = clientEvent(stored);
      if (clientSide) batch.events.push(clientSide);
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

/**
 * Converts a stored event to the form that clients get. Returns undefined for the event of a run's
 * end, because clients see the end of the run as the end of their stream.
 */
export function clientEvent(stored: StoredEvent): ClientEvent | undefined {
  const id = `${stored.at.getTime()}-${stored.seq}`;
  if (stored.event === CONTROL_EVENTS.ended) return undefined;
  if (stored.event !== CONTROL_EVENTS.attempt) return { id, event: stored.event, data: stored.data };
  const { run_id, attempt } = JSON.parse(stored.data) as AttemptData;
  return { id, event: 'metadata', data: JSON.stringify({ run_id, attempt, superseded: supersededRanges(stored) }) };
}

/**
 * Builds the last batch of a run from the run's record. This is necessary if the log does not have
 * the last event of the run.
 */
function endFromRecord(ended: EndedData, reader: RunReader): RunEventBatch {
  const { error } = ended;
  const id = `${Date.now()}-${reader.cursor}`;
  return { events: error ? [{ id, event: 'error', data: JSON.stringify(error) }] : [], ended };
}

/**
 * Yields the stored events of a run, up to the run's end. If they fill several pages, the pages are
 * read twice: first to find the events that a later attempt superseded, then to yield the events
 * that are not superseded.
 */
async function* replay(log: EventLog, caller: Caller, reader: RunReader): AsyncGenerator<RunEventBatch> {
  const pageAfter = (afterSeq: number, bare = false) =>
    log.read(caller, reader.threadId, { afterSeq, limit: PAGE, bare });
  let page = await pageAfter(reader.cursor);
  reader.noteSuperseded(page);
  for (let ahead = page; ahead.length > 0 && !reader.endsIn(ahead); ) {
    ahead = await pageAfter(lastSeq(ahead), true);
    reader.noteSuperseded(ahead);
  }
  for (; page.length > 0; page = await pageAfter(reader.cursor)) {
    reader.noteSuperseded(page);
    yield reader.takePage(page);
    if (reader.ended) return;
  }
}

async function* follow(
  context: ConversationContext,
  caller: Caller,
  reader: RunReader,
  signal: AbortSignal,
): AsyncGenerator<RunEventBatch> {
  const watch = watchRecord(context, caller, reader);
  const { signal: until, release } = firstOf(signal, watch.signal);
  try {
    for await (const page of context.events.follow(caller, reader.threadId, {
      afterSeq: reader.cursor,
      signal: until,
    })) {
      reader.noteSuperseded(page);
      const batch = reader.takePage(page);
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

/**
 * After the run's record shows the end of the run, the reader waits at most this long for the run's
 * last event, in ms.
 */
const LAST_EVENT_MS = 1_000;

/**
 * Reads the record of a run at an interval. If the record shows the end of the run, but the run's
 * last event does not arrive, the returned `signal` is aborted. The event is missing if its writer
 * died, the run was rolled back, the thread was deleted, or the events expired.
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
