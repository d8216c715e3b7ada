import {
  CONTROL_EVENTS,
  SupersededEvents,
  supersededRanges,
  type AttemptData,
  type Caller,
  type Run,
  type StoredEvent,
  ifFound,
} from '../../protocol/index.js';
import type { ApiContext } from '../context.js';
import { lastSeqOf, withSequenceNumbers, offsetOf, seqOf, type DraftEvent, type ProtocolEvent } from './events.js';
import { RunTranslator, type RunFacts } from './run-translator.js';

export interface ProtocolEventsRequest {
  threadId: string;
  /**
   * `seq` of the last protocol event that the client has received. 0: the client has received none.
   */
  since: number;
  signal: AbortSignal;
}

const PAGE = 1_000;

/**
 * Yields the events of all runs of a thread, as events of protocol v2, until the signal is aborted:
 * first the stored events, then each new event. Every process gives an event the same sequence
 * number, so a client can continue its stream at another process.
 */
export async function* protocolEvents(
  context: ApiContext,
  caller: Caller,
  { threadId, since, signal }: ProtocolEventsRequest,
): AsyncGenerator<ProtocolEvent[]> {
  const afterSeq = await replayOffset(context, caller, threadId, since);
  const reader = new ThreadTranslator(context, caller, threadId, afterSeq);
  const newEvents = (events: ProtocolEvent[]) => events.filter(({ seq }) => seq > since);
  for (let ahead = await reader.page(afterSeq, true); ahead.length > 0; ) {
    reader.noteSuperseded(ahead);
    ahead = await reader.page(ahead.at(-1)?.seq ?? 0, true);
  }
  for (let page = await reader.page(reader.cursor); page.length > 0 && !signal.aborted; ) {
    yield newEvents(await reader.translatePage(page));
    page = await reader.page(reader.cursor);
  }
  if (signal.aborted) return;
  for await (const page of context.events.follow(caller, threadId, { afterSeq: reader.cursor, signal })) {
    yield newEvents(await reader.translatePage(page));
  }
}

/**
 * Returns a translator (from logged events to events of protocol v2) that has already processed all
 * stored events of the run, except superseded events.
 */
export async function translatedRun(context: ApiContext, caller: Caller, run: Run): Promise<RunTranslator> {
  const reader = new ThreadTranslator(context, caller, run.threadId, run.afterSeq ?? 0);
  return reader.translateRun(run.runId, runFacts(run), run.afterSeq ?? 0);
}

/**
 * Returns the offset after which the event log must be read if a client continues after the
 * protocol event `since`. The translation of an event depends on the earlier events of its run. So
 * the log is read from the start of the run to which `since` belongs. If that start is unknown, the
 * whole log is read.
 */
async function replayOffset(context: ApiContext, caller: Caller, threadId: string, since: number): Promise<number> {
  if (since === 0) return 0;
  const offset = Math.min(offsetOf(since), await context.events.tail(caller, threadId));
  if (offset === 0) return 0;
  const [stored] = await context.events.read(caller, threadId, { afterSeq: offset - 1, limit: 1, bare: true });
  const run =
    stored && (await ifFound(context.threads.getRun(caller, threadId, stored.runId, { admittedOnly: false })));
  return Math.min(run?.afterSeq ?? 0, offset);
}

interface TranslatedRun {
  /**
   * Absent if the run was rolled back or its record was deleted. Clients then get no events of the
   * run.
   */
  translator?: RunTranslator;
  facts?: RunFacts;
  /** An offset of the event log. All events of the run have higher offsets. */
  start: number;
}

/** Reads the event log of one thread, and translates its events to events of protocol v2. */
class ThreadTranslator {
  readonly #runs = new Map<string, TranslatedRun>();
  readonly #ended = new Set<string>();
  readonly #superseded = new SupersededEvents();

  constructor(
    private readonly context: ApiContext,
    private readonly caller: Caller,
    private readonly threadId: string,
    public cursor: number,
  ) {}

  /**
   * Returns the stored events after an offset, at most `PAGE`. Returns an empty list at the end of
   * the event log.
   */
  page(afterSeq: number, bare = false): Promise<StoredEvent[]> {
    return this.context.events.read(this.caller, this.threadId, { afterSeq, limit: PAGE, bare });
  }

  /**
   * Looks for new attempts in this page of events. Remembers the offsets of the events that these
   * attempts supersede.
   */
  noteSuperseded(page: readonly StoredEvent[]): void {
    this.#superseded.note(page);
  }

  /**
   * Translates the events of a page that come after the cursor. Skips superseded events. Moves the
   * cursor to the last event of the page.
   */
  async translatePage(page: readonly StoredEvent[]): Promise<ProtocolEvent[]> {
    this.noteSuperseded(page);
    const events: ProtocolEvent[] = [];
    for (const stored of page) {
      if (stored.seq <= this.cursor) continue;
      this.cursor = stored.seq;
      if (!this.#superseded.has(stored)) events.push(...withSequenceNumbers(stored, await this.#translate(stored)));
    }
    return events;
  }

  async translateRun(runId: string, facts: RunFacts, start: number, end = Infinity): Promise<RunTranslator> {
    const translator = new RunTranslator(facts);
    for (let page = await this.page(start); page.length > 0; page = await this.page(page.at(-1)?.seq ?? 0)) {
      this.noteSuperseded(page.filter(({ seq }) => seq > this.cursor));
      for (const stored of page) {
        if (stored.runId === runId && stored.seq < end && !this.#superseded.has(stored)) translator.translate(stored);
      }
      if ((page.at(-1)?.seq ?? 0) >= end) break;
    }
    return translator;
  }

  async #translate(stored: StoredEvent): Promise<DraftEvent[]> {
    // If a run's last step had two attempts, both may have written the event that ends the run.
    // Only the first of these two events is translated.
    if (this.#ended.has(stored.runId)) return [];
    const run = await this.#runOf(stored);
    if (!run.translator) return [];
    if (stored.event === CONTROL_EVENTS.attempt) return this.#restart(stored, run, run.translator);
    const others = [...this.#runs.values()].some((other) => other !== run && other.translator?.isOpen);
    const drafts = run.translator.translate(stored, { alone: !others });
    if (stored.event === CONTROL_EVENTS.ended) {
      this.#runs.delete(stored.runId);
      this.#ended.add(stored.runId);
    }
    return drafts;
  }

  async #runOf(stored: StoredEvent): Promise<TranslatedRun> {
    const known = this.#runs.get(stored.runId);
    if (known) return known;
    const record = await ifFound(
      this.context.threads.getRun(this.caller, this.threadId, stored.runId, { admittedOnly: false }),
    );
    const start = stored.seq - 1;
    const facts = record && runFacts(record);
    const run = { start, ...(facts && { facts, translator: new RunTranslator(facts) }) };
    this.#runs.set(stored.runId, run);
    return run;
  }

  /**
   * Returns the protocol events that announce a new attempt of a step. They name the superseded
   * events, and end the messages that the earlier attempt has left open. So a client that has
   * received superseded events can discard them and continue.
   */
  async #restart(stored: StoredEvent, run: TranslatedRun, before: RunTranslator): Promise<DraftEvent[]> {
    const after = await this.translateRun(
      stored.runId,
      run.facts ?? { graphName: '', answers: [] },
      run.start,
      stored.seq,
    );
    run.translator = after;
    const { attempt } = JSON.parse(stored.data) as AttemptData;
    const superseded = supersededRanges(stored).map(([first, last]): [number, number] => [
      seqOf(first, 0),
      lastSeqOf(last),
    ]);
    return after.restarted({ attempt, superseded }, before);
  }
}

function runFacts(run: Run): RunFacts {
  const { resume } = run.request.command ?? {};
  return { graphName: run.graphId, answers: answeredIds(resume) };
}

/**
 * Returns the ids of the interrupts that `resume` answers. This requires that `resume` is an object
 * whose keys are interrupt ids: hashes of 32 hex digits. For any other `resume`, returns an empty
 * list.
 */
function answeredIds(resume: unknown): string[] {
  if (typeof resume !== 'object' || resume === null || Array.isArray(resume)) return [];
  const keys = Object.keys(resume);
  return keys.every((key) => /^[0-9a-f]{32}$/.test(key)) ? keys : [];
}
