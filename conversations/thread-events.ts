import { CONTROL_EVENTS, SupersededEvents, type Caller, type StoredEvent } from '../protocol/index.js';
import type { THREAD_STREAM_MODES } from '../protocol/schemas/index.js';
import type { EventLog } from '../streams/index.js';
import { clientEvent, type ClientEvent } from './run-events.js';

export type ThreadStreamMode = (typeof THREAD_STREAM_MODES)[number];

export interface ThreadEventSource {
  threadId: string;
  /** Offset after which to begin. */
  afterSeq: number;
  modes: ThreadStreamMode[];
  signal: AbortSignal;
}

const PAGE = 1_000;

/** The events of all runs of a thread, and its own, in order, until the signal. */
export async function* threadEvents(
  log: EventLog,
  caller: Caller,
  { threadId, afterSeq, modes, signal }: ThreadEventSource,
): AsyncGenerator<ClientEvent[]> {
  const pageAfter = (seq: number, bare = false) => log.read(caller, threadId, { afterSeq: seq, limit: PAGE, bare });
  const [last] = afterSeq > 0 ? await log.read(caller, threadId, { afterSeq: afterSeq - 1, limit: 1, bare: true }) : [];
  const reader = new ThreadReader(afterSeq, modes, last?.seq === afterSeq ? last.runId : undefined);
  // What later attempts superseded is not told to who reads later, so the backlog is looked through before it is told.
  let page = await pageAfter(afterSeq);
  reader.note(page);
  for (let ahead = page; ahead.length > 0 && !signal.aborted; ) {
    ahead = await pageAfter(ahead.at(-1)?.seq ?? afterSeq, true);
    reader.note(ahead);
  }
  for (; page.length > 0 && !signal.aborted; page = await pageAfter(reader.cursor)) {
    yield reader.take(page);
  }
  for await (const fresh of log.follow(caller, threadId, { afterSeq: reader.cursor, signal })) {
    reader.note(fresh);
    yield reader.take(fresh);
  }
}

/** Where one reader of a thread stands, and what it has been told of runs. */
class ThreadReader {
  readonly #modes: ReadonlySet<ThreadStreamMode>;
  readonly #begun = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #superseded = new SupersededEvents();

  /** `current`: the run whose event is at the cursor; that it has begun has been told. */
  constructor(
    public cursor: number,
    modes: ThreadStreamMode[],
    current: string | undefined,
  ) {
    this.#modes = new Set(modes);
    if (current !== undefined) this.#begun.add(current);
  }

  note(page: readonly StoredEvent[]): void {
    this.#superseded.note(page);
  }

  /** Moves over a page and answers what of it the client is told. */
  take(page: readonly StoredEvent[]): ClientEvent[] {
    return page.flatMap((stored) => {
      if (stored.seq <= this.cursor) return [];
      this.cursor = stored.seq;
      return this.#superseded.has(stored) ? [] : this.#told(stored);
    });
  }

  #told(stored: StoredEvent): ClientEvent[] {
    if (stored.runId === '') return this.#modes.has('state_update') ? eventOf(stored) : [];
    if (stored.event === CONTROL_EVENTS.ended) return [...this.#begin(stored), ...this.#end(stored)];
    const isLifecycle = stored.event === CONTROL_EVENTS.attempt;
    return [...this.#begin(stored), ...(this.#wants(isLifecycle) ? eventOf(stored) : [])];
  }

  #begin({ runId, seq, at }: StoredEvent): ClientEvent[] {
    if (this.#begun.has(runId)) return [];
    this.#begun.add(runId);
    // The place before the run's first event: who comes back there is told again that it begins.
    return this.#lifecycle(`${at.getTime()}-${seq - 1}`, { run_id: runId, attempt: 1 });
  }

  #end({ runId, seq, at }: StoredEvent): ClientEvent[] {
    if (this.#ended.has(runId)) return [];
    this.#ended.add(runId);
    return this.#lifecycle(`${at.getTime()}-${seq}`, { status: 'run_done', run_id: runId });
  }

  #lifecycle(id: string, data: object): ClientEvent[] {
    return this.#wants(true) ? [{ id, event: 'metadata', data: JSON.stringify(data) }] : [];
  }

  #wants(isLifecycle: boolean): boolean {
    return this.#modes.has('run_modes') || (isLifecycle && this.#modes.has('lifecycle'));
  }
}

function eventOf(stored: StoredEvent): ClientEvent[] {
  const told = clientEvent(stored);
  return told ? [told] : [];
}
