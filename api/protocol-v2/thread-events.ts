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
import { lastSeqOf, numbered, offsetOf, seqOf, type Draft, type ProtocolEvent } from './events.js';
import { RunTranslator, type RunFacts } from './run-translator.js';

export interface ThreadEventsRequest {
  threadId: string;
  /** `seq` of the last event that the client has; 0: from the start of the thread. */
  since: number;
  signal: AbortSignal;
}

const PAGE = 1_000;

/**
 * The events of a thread, over all its runs, until the signal: first those that are kept, then each as it comes. Any process gives the same
 * events the same numbers.
 */
export async function* threadEvents(
  context: ApiContext,
  caller: Caller,
  { threadId, since, signal }: ThreadEventsRequest,
): AsyncGenerator<ProtocolEvent[]> {
  const afterSeq = await startOf(context, caller, threadId, since);
  const reader = new ThreadReader(context, caller, threadId, afterSeq);
  const news = (events: ProtocolEvent[]) => events.filter(({ seq }) => seq > since);
  for (let ahead = await reader.page(afterSeq, true); ahead.length > 0; ) {
    reader.note(ahead);
    ahead = await reader.page(ahead.at(-1)?.seq ?? 0, true);
  }
  for (let page = await reader.page(reader.cursor); page.length > 0 && !signal.aborted; ) {
    yield news(await reader.take(page));
    page = await reader.page(reader.cursor);
  }
  if (signal.aborted) return;
  for await (const page of context.events.follow(caller, threadId, { afterSeq: reader.cursor, signal })) {
    yield news(await reader.take(page));
  }
}

/** What the events of one run have come to so far. */
export async function translatedRun(context: ApiContext, caller: Caller, run: Run): Promise<RunTranslator> {
  const reader = new ThreadReader(context, caller, run.threadId, run.afterSeq ?? 0);
  return reader.translateRun(run.runId, factsOf(run), run.afterSeq ?? 0);
}

/** Where to begin to read, so that everything after `since` comes out as it did before: at the start of the run that it lies in. */
async function startOf(context: ApiContext, caller: Caller, threadId: string, since: number): Promise<number> {
  if (since === 0) return 0;
  const offset = Math.min(offsetOf(since), await context.events.tail(caller, threadId));
  if (offset === 0) return 0;
  const [at] = await context.events.read(caller, threadId, { afterSeq: offset - 1, limit: 1, bare: true });
  const run = at && (await ifFound(context.threads.getRun(caller, threadId, at.runId, { admittedOnly: false })));
  return Math.min(run?.afterSeq ?? 0, offset);
}

interface ReadRun {
  /** Absent for a run that is gone, rolled back or deleted: nothing is told of it. */
  translator?: RunTranslator;
  facts?: RunFacts;
  /** Its events have higher offsets. */
  start: number;
}

/** Where one reader stands in a thread's log. */
class ThreadReader {
  readonly #runs = new Map<string, ReadRun>();
  readonly #ended = new Set<string>();
  readonly #superseded = new SupersededEvents();

  constructor(
    private readonly context: ApiContext,
    private readonly caller: Caller,
    private readonly threadId: string,
    public cursor: number,
  ) {}

  /** Empty at the log's end. */
  page(afterSeq: number, bare = false): Promise<StoredEvent[]> {
    return this.context.events.read(this.caller, this.threadId, { afterSeq, limit: PAGE, bare });
  }

  /** Learns what later attempts superseded. */
  note(page: readonly StoredEvent[]): void {
    this.#superseded.note(page);
  }

  /** Moves over a page and answers what it becomes. */
  async take(page: readonly StoredEvent[]): Promise<ProtocolEvent[]> {
    this.note(page);
    const events: ProtocolEvent[] = [];
    for (const stored of page) {
      if (stored.seq <= this.cursor) continue;
      this.cursor = stored.seq;
      if (!this.#superseded.has(stored)) events.push(...numbered(stored, await this.#translate(stored)));
    }
    return events;
  }

  async translateRun(runId: string, facts: RunFacts, start: number, end = Infinity): Promise<RunTranslator> {
    const translator = new RunTranslator(facts);
    for (let page = await this.page(start); page.length > 0; page = await this.page(page.at(-1)?.seq ?? 0)) {
      this.note(page.filter(({ seq }) => seq > this.cursor));
      for (const stored of page) {
        if (stored.runId === runId && stored.seq < end && !this.#superseded.has(stored)) translator.translate(stored);
      }
      if ((page.at(-1)?.seq ?? 0) >= end) break;
    }
    return translator;
  }

  async #translate(stored: StoredEvent): Promise<Draft[]> {
    // Two attempts of a run's last step may both have written its end.
    if (this.#ended.has(stored.runId)) return [];
    const run = await this.#run(stored);
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

  async #run(stored: StoredEvent): Promise<ReadRun> {
    const known = this.#runs.get(stored.runId);
    if (known) return known;
    const record = await ifFound(
      this.context.threads.getRun(this.caller, this.threadId, stored.runId, { admittedOnly: false }),
    );
    const start = stored.seq - 1;
    const facts = record && factsOf(record);
    const run = { start, ...(facts && { facts, translator: new RunTranslator(facts) }) };
    this.#runs.set(stored.runId, run);
    return run;
  }

  /** From here on the run goes on as if what is superseded had not been said, for whoever heard it and whoever did not. */
  async #restart(stored: StoredEvent, run: ReadRun, before: RunTranslator): Promise<Draft[]> {
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

function factsOf(run: Run): RunFacts {
  const { resume } = run.request.command ?? {};
  return { graphName: run.graphId, answers: answeredIds(resume) };
}

/** LangGraph names interrupts by a hash of 32 digits; an answer with such keys answers by id. */
function answeredIds(resume: unknown): string[] {
  if (typeof resume !== 'object' || resume === null || Array.isArray(resume)) return [];
  const keys = Object.keys(resume);
  return keys.every((key) => /^[0-9a-f]{32}$/.test(key)) ? keys : [];
}
