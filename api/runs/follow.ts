import type { Response } from 'express';
import { endOf, errorCode, firstOf, type Caller, type EndedData, type Run } from '../../protocol/index.js';
import type { Access } from '../../conversations/access.js';
import { suppressUnhandled, type AcceptedRun } from '../../conversations/accept-run.js';
import { cancelAbandoned } from '../../conversations/cancel-runs.js';
import { watchAccess } from '../auth/stream-access.js';
import type { ApiContext } from '../context.js';
import { eventFilter, type EventFilter } from './event-filter.js';
import { runEvents, type ClientEvent, type EventSource } from '../../conversations/run-events.js';
import { locateRun } from '../../conversations/find.js';
import { openEventStream, writeEvents } from '../http/sse.js';

/** A client that follows a run. */
export interface RunFollower {
  caller: Caller;
  access: Access;
  res: Response;
}

/** The offset at which a client begins to follow a run, and how the client follows it. */
export interface Attachment {
  run: Run;
  afterSeq: number;
  /** False if the log has no event of the run yet. */
  replay: boolean;
  /** True if the client has reconnected and has already received the first events. */
  resumed: boolean;
  /** True if the run is to be stopped when the client disconnects. */
  cancelOnDisconnect: boolean;
  /**
   * Makes the run visible in lists. A start of the run does the same, so this is needed only if the
   * run does not start in time.
   */
  admit?: () => Promise<void>;
}

/**
 * How long a run may take to start, in ms. On an idle thread it starts within milliseconds. After
 * this time the workers must have a problem, so the run is made visible in lists anyway.
 */
const START_EXPECTED_MS = 2_000;
/**
 * The same time for a client that streams, in ms. It is shorter, because such a client gets the
 * run's id with the first event and may then look for the run in lists.
 */
const SHOWN_WITHIN_MS = 250;

/** Attaches to a run that was just accepted. */
export function attachAccepted(accepted: AcceptedRun, cancelOnDisconnect: boolean): Attachment {
  const { run, afterSeq, isFresh, admit } = accepted;
  return { run, afterSeq, replay: !isFresh, resumed: false, cancelOnDisconnect, ...(admit && { admit }) };
}

/**
 * Attaches to a run after the last event that the client has received, or at the run's start.
 * Errors: `not_found`.
 */
export async function attachKnown(
  context: ApiContext,
  caller: Caller,
  threadId: string,
  runId: string,
  options: { lastSeq?: number | undefined; cancelOnDisconnect: boolean },
): Promise<Attachment> {
  const { lastSeq, cancelOnDisconnect } = options;
  const { run, start } = await locateRun(context, caller, threadId, runId);
  const afterSeq = Math.max(start, lastSeq ?? 0);
  return { run, afterSeq, replay: true, resumed: lastSeq !== undefined, cancelOnDisconnect };
}

/**
 * Streams a run to its end. Sends the first event when the run has started or appears in lists.
 * Ends the stream only after `bound` is settled.
 */
export async function streamRun(
  context: ApiContext,
  follower: RunFollower,
  attachment: Attachment,
  filter: EventFilter,
  bound: Promise<void> = Promise.resolve(),
): Promise<void> {
  const { res } = follower;
  const connection = connect(context, follower, attachment, SHOWN_WITHIN_MS);
  const batches = connection.batches[Symbol.asyncIterator]();
  const first = suppressUnhandled(batches.next());
  await Promise.race([first, connection.admitted]);
  openEventStream(res);
  await writeEvents(res, wantedEvents(), context.options);
  await bound.catch((error: unknown) => context.report(error, `thread of run ${attachment.run.runId}`));
  // If the stream stops before the run's end, the connection is destroyed, so that the client
  // reconnects.
  if (connection.ended()) res.end();
  else res.destroy();

  async function* wantedEvents(): AsyncGenerator<ClientEvent[]> {
    const wanted = eventFilter(filter);
    if (!attachment.resumed) yield [firstEvent(attachment)];
    try {
      for (let batch = await first; !batch.done; batch = await batches.next()) yield batch.value.filter(wanted);
    } finally {
      await batches.return?.();
    }
  }
}

/**
 * Waits for the end of a run. Returns undefined if the client disconnects or the server shuts down
 * before the end.
 */
export async function awaitEnd(
  context: ApiContext,
  follower: RunFollower,
  attachment: Attachment,
): Promise<RunOutcome | undefined> {
  const connection = connect(context, follower, attachment, START_EXPECTED_MS);
  let values: string | undefined;
  for await (const events of connection.batches) {
    values = events.findLast(({ event }) => event === 'values')?.data ?? values;
  }
  const ended = connection.ended();
  return ended && { ended, ...(values !== undefined && { values }) };
}

interface RunOutcome {
  ended: EndedData;
  /**
   * JSON text of the run's last `values` event, if it had one. Needed because the thread's state
   * may already be that of a later run.
   */
  values?: string;
}

interface RunConnection {
  batches: AsyncIterable<ClientEvent[]>;
  ended(): EndedData | undefined;
  /** Resolves when lists show the run. Never resolves if an event of the run comes before that. */
  admitted: Promise<void>;
}

/** Reads the run's events until the client disconnects or the server shuts down. */
function connect(
  context: ApiContext,
  { caller, access, res }: RunFollower,
  attachment: Attachment,
  startExpectedMs: number,
): RunConnection {
  const { run, afterSeq, replay } = attachment;
  const gone = new AbortController();
  let ended: EndedData | undefined;
  const rights = watchAccess(context, access, run.threadId);
  const onClose = () => {
    gone.abort();
    // A client that has lost the right to read the run has also lost the right to stop it.
    const isOver = ended !== undefined || context.shutdown.aborted || rights.lost.aborted;
    if (attachment.cancelOnDisconnect && !isOver) cancelAbandoned(context, caller, run);
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  const admission = admitLater(context, attachment, startExpectedMs);
  const recordedEnd = endOf(run);
  const source: EventSource = {
    threadId: run.threadId,
    runId: run.runId,
    afterSeq,
    replay,
    ...(recordedEnd && { ended: recordedEnd }),
    signal: firstOf(gone.signal, rights.lost, context.shutdown).signal,
  };
  return { batches: batches(), ended: () => ended, admitted: admission.done };

  async function* batches(): AsyncGenerator<ClientEvent[]> {
    try {
      for await (const batch of runEvents(context, caller, source)) {
        clearTimeout(admission.timer);
        ended = batch.ended ?? ended;
        yield batch.events;
      }
    } finally {
      rights.stop();
    }
  }
}

/**
 * Makes the run visible in lists if the run does not start in time. A start of the run does the
 * same.
 */
function admitLater(
  context: ApiContext,
  { run, admit }: Attachment,
  startExpectedMs: number,
): { timer?: NodeJS.Timeout; done: Promise<void> } {
  if (!admit) return { done: Promise.resolve() };
  let resolveDone = (): void => undefined;
  const done = new Promise<void>((resolve) => (resolveDone = resolve));
  const timer = setTimeout(() => void admit().catch(report).then(resolveDone), startExpectedMs).unref();
  return { timer, done };

  function report(error: unknown): void {
    if (errorCode(error) !== 'not_found') context.report(error, `admission of run ${run.runId}`);
  }
}

/**
 * Returns the first event of every stream. A client may lose its connection right after this event.
 * Then the event's id lets the client resume at the same offset.
 */
function firstEvent({ run, afterSeq }: Attachment): ClientEvent {
  const data = JSON.stringify({ run_id: run.runId, attempt: 1 });
  return { id: `${run.createdAt.getTime()}-${afterSeq}`, event: 'metadata', data };
}
