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
  /**
   * True if the event log may already have events of the run. These stored events are sent first.
   */
  replay: boolean;
  /**
   * True if the client has reconnected and named its last event id. It has already received the
   * `metadata` event with which a stream begins, so that event is not sent again.
   */
  resumed: boolean;
  /** True if the run is to be stopped when the client disconnects. */
  cancelOnDisconnect: boolean;
  /**
   * Makes the run visible in lists. The run also becomes visible when it starts, so this is called
   * only if the run does not start in time.
   */
  admit?: () => Promise<void>;
}

/**
 * Time limit for the start of a run, in ms. If the run has not started by then, it is made visible
 * in lists anyway. This limit applies if the client waits for the end of the run. On an idle thread
 * a run starts within milliseconds, so a longer time means that the workers have a problem.
 */
const START_EXPECTED_MS = 2_000;
/**
 * The same limit as `START_EXPECTED_MS`, for a client that streams the run. The first event of the
 * stream contains the run's id, and the client may then look for the run in lists. So this event
 * waits until the run has started or is visible in lists. A short limit keeps this wait short.
 */
const SHOWN_WITHIN_MS = 250;

/** Returns the attachment of the client whose request to start the run was just accepted. */
export function attachAccepted(accepted: AcceptedRun, cancelOnDisconnect: boolean): Attachment {
  const { run, afterSeq, isFresh, admit } = accepted;
  return { run, afterSeq, replay: !isFresh, resumed: false, cancelOnDisconnect, ...(admit && { admit }) };
}

/**
 * Returns the attachment of a client that asks for an existing run. It begins after the last event
 * that the client has received, or at the start of the run. Errors: `not_found`.
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
 * Streams the events of a run until the run ends. Sends the first event as soon as the run has
 * started or is visible in lists. The promise `bound` resolves when the thread's metadata name the
 * graph and the assistant of the run. The stream ends only after that.
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
 * Waits for the end of a run. Returns undefined if one of these happens before the end: the client
 * disconnects or loses the right to read the run, or the server shuts down.
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
  /**
   * Resolves when the call of the attachment's `admit` has succeeded or failed. Resolves at once if
   * the attachment has no `admit`. Never resolves if an event of the run arrives before the call,
   * because `admit` is then not called.
   */
  admitted: Promise<void>;
}

/**
 * Connects a client to the events of a run. The events stop when the run ends, the client
 * disconnects or loses the right to read the run, or the server shuts down.
 */
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
 * Starts a timer that makes the run visible in lists after `startExpectedMs`. The caller of this
 * function clears the timer when the first event arrives, because the start of the run makes it
 * visible too.
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
 * Returns the `metadata` event with which every new stream begins. If the client loses its
 * connection right after this event, the event's id lets it resume at the same offset.
 */
function firstEvent({ run, afterSeq }: Attachment): ClientEvent {
  const data = JSON.stringify({ run_id: run.runId, attempt: 1 });
  return { id: `${run.createdAt.getTime()}-${afterSeq}`, event: 'metadata', data };
}
