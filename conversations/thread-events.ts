import { CONTROL_EVENTS, SupersededEvents, type Caller, type StoredEvent } from '../protocol/index.js';
import type { THREAD_STREAM_MODES } from '../protocol/schemas/index.js';
import type { EventLog } from '../streams/index.js';
import { clientEvent, type ClientEvent } from './run-events.js';

export type ThreadStreamMode = (typeof THREAD_STREAM_MODES)[number];

interface ThreadEventSource {
  threadId: string;
  /** Offset after which reading starts: only events with a higher offset are read. */
  afterSeq: number;
  modes: ThreadStreamMode[];
  signal: AbortSignal;
}

const PAGE = 1_000;

/**
 * Yields the events of all runs of a thread, and the thread's own events (such as edits of its
 * state), in the order of their offsets. Ends when the signal is aborted.
 */
export async function* threadEvents(
  log: EventLog,
  caller: Caller,
  { threadId, afterSeq, modes, signal }: ThreadEventSource,
): AsyncGenerator<ClientEvent[]> {
  const pageAfter = (seq: number, bare = false) => log.read(caller, threadId, { afterSeq: seq, limit: PAGE, bare });
  const [last] = afterSeq > 0 ? await log.read(caller, threadId, { afterSeq: afterSeq - 1, limit: 1, bare: true }) : [];
  const reader = new ThreadReader(afterSeq, modes, last?.seq === afterSeq ? last.runId : undefined);
  // Some stored events are superseded: their attempt died before its commit, and a later event
  // names them. So read all stored events once before the first one is sent. The client then gets
  // no stored event that is superseded.
  let page = await pageAfter(afterSeq);
  reader.noteSuperseded(page);
  for (let ahead = page; ahead.length > 0 && !signal.aborted; ) {
    ahead = await pageAfter(ahead.at(-1)?.seq ?? afterSeq, true);
    reader.noteSuperseded(ahead);
  }
  for (; page.length > 0 && !signal.aborted; page = await pageAfter(reader.cursor)) {
    yield reader.takePage(page);
  }
  for await (const fresh of log.follow(caller, threadId, { afterSeq: reader.cursor, signal })) {
    reader.noteSuperseded(fresh);
    yield reader.takePage(fresh);
  }
}

/**
 * State of one client's stream of a thread: the offset up to which events were read (`cursor`), and
 * the runs whose start or end the client has received.
 */
class ThreadReader {
  readonly #modes: ReadonlySet<ThreadStreamMode>;
  readonly #startedRuns = new Set<string>();
  readonly #endedRuns = new Set<string>();
  readonly #superseded = new SupersededEvents();

  /**
   * `cursor` is the offset after which the stream starts. `current` is the run of the event at this
   * offset, or undefined if there is no such event. The stream does not announce the start of this
   * run.
   */
  constructor(
    public cursor: number,
    modes: ThreadStreamMode[],
    current: string | undefined,
  ) {
    this.#modes = new Set(modes);
    if (current !== undefined) this.#startedRuns.add(current);
  }

  noteSuperseded(page: readonly StoredEvent[]): void {
    this.#superseded.note(page);
  }

  /**
   * Converts the events of a page to the form for clients. Leaves out the events that this client
   * must not get. Sets the cursor to the offset of the page's last event.
   */
  takePage(page: readonly StoredEvent[]): ClientEvent[] {
    return page.flatMap((stored) => {
      if (stored.seq <= this.cursor) return [];
      this.cursor = stored.seq;
      return this.#superseded.has(stored) ? [] : this.#clientEvents(stored);
    });
  }

  #clientEvents(stored: StoredEvent): ClientEvent[] {
    if (stored.runId === '') return this.#modes.has('state_update') ? clientEvents(stored) : [];
    if (stored.event === CONTROL_EVENTS.ended) return [...this.#startEvents(stored), ...this.#endEvents(stored)];
    const isLifecycle = stored.event === CONTROL_EVENTS.attempt;
    return [...this.#startEvents(stored), ...(this.#wants(isLifecycle) ? clientEvents(stored) : [])];
  }

  #startEvents({ runId, seq, at }: StoredEvent): ClientEvent[] {
    if (this.#startedRuns.has(runId)) return [];
    this.#startedRuns.add(runId);
    // The id of this start event contains the offset before the run's first event. So a client that
    // resumes with this id gets the start event again, and then all events of the run.
    return this.#lifecycle(`${at.getTime()}-${seq - 1}`, { run_id: runId, attempt: 1 });
  }

  #endEvents({ runId, seq, at }: StoredEvent): ClientEvent[] {
    if (this.#endedRuns.has(runId)) return [];
    this.#endedRuns.add(runId);
    return this.#lifecycle(`${at.getTime()}-${seq}`, { status: 'run_done', run_id: runId });
  }

  #lifecycle(id: string, data: object): ClientEvent[] {
    return this.#wants(true) ? [{ id, event: 'metadata', data: JSON.stringify(data) }] : [];
  }

  #wants(isLifecycle: boolean): boolean {
    return this.#modes.has('run_modes') || (isLifecycle && this.#modes.has('lifecycle'));
  }
}

function clientEvents(stored: StoredEvent): ClientEvent[] {
  const converted = clientEvent(stored);
  return converted ? [converted] : [];
}
