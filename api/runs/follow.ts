import type { Response } from 'express';
import { endOf, errorCode, firstOf, type Caller, type EndedData, type Run } from '../../protocol/index.js';
import { quietly, type AcceptedRun } from '../../conversations/accept-run.js';
import { cancelAbandoned } from '../../conversations/cancel-runs.js';
import { accessOf } from '../auth/access.js';
import { watchAccess } from '../auth/stream-access.js';
import type { ApiContext } from '../context.js';
import { eventFilter, type EventFilter } from './event-filter.js';
import { runEvents, type ClientEvent, type EventSource } from '../../conversations/run-events.js';
import { locateRun } from '../../conversations/find.js';
import { openEventStream, writeEvents } from '../http/sse.js';

/** A run that a client is connected to, from an offset on. */
export interface Attachment {
  run: Run;
  afterSeq: number;
  /** False: nothing of the run is in the log yet. */
  replay: boolean;
  /** The client has seen the beginning and comes back for the rest. */
  resumed: boolean;
  /** Stop the run when the client goes away. */
  cancelOnDisconnect: boolean;
  /** Shows the run in lists, should its start not do so. */
  admit?: () => Promise<void>;
}

/** A run that begins at once starts within milliseconds; after so long something is wrong with the workers. */
const START_EXPECTED_MS = 2_000;
/** The same for a client that waits to hear its run's id, and may then look for the run in lists. */
const SHOWN_WITHIN_MS = 250;

/** Attaches to a run that was just accepted. */
export function attachAccepted(accepted: AcceptedRun, cancelOnDisconnect: boolean): Attachment {
  const { run, afterSeq, isFresh, admit } = accepted;
  return { run, afterSeq, replay: !isFresh, resumed: false, cancelOnDisconnect, ...(admit && { admit }) };
}

/**
 * Attaches to a known run, behind the last event that the client has seen, or at the start of the run. Errors: `not_found`.
 */
export async function attachKnown(
  context: ApiContext,
  caller: Caller,
  place: { threadId: string; runId: string },
  options: { lastSeq?: number | undefined; cancelOnDisconnect: boolean },
): Promise<Attachment> {
  const { lastSeq, cancelOnDisconnect } = options;
  const { run, start } = await locateRun(context, caller, place.threadId, place.runId);
  const afterSeq = Math.max(start, lastSeq ?? 0);
  return { run, afterSeq, replay: true, resumed: lastSeq !== undefined, cancelOnDisconnect };
}

/** Streams a run to its end, from the moment on when lists show it. `bound`: what has to be done before the stream may end. */
export async function streamRun(
  context: ApiContext,
  caller: Caller,
  res: Response,
  attachment: Attachment,
  filter: EventFilter,
  bound: Promise<void> = Promise.resolve(),
): Promise<void> {
  const connection = connect(context, caller, res, attachment, SHOWN_WITHIN_MS);
  const batches = connection.batches[Symbol.asyncIterator]();
  const first = quietly(batches.next());
  await Promise.race([first, connection.admitted]);
  openEventStream(res);
  await writeEvents(res, told(), context.options);
  await bound.catch((error: unknown) => context.report(error, `thread of run ${attachment.run.runId}`));
  // A stream that stops for another reason than the run's end is cut off, so that its client comes back.
  if (connection.ended()) res.end();
  else res.destroy();

  async function* told(): AsyncGenerator<ClientEvent[]> {
    const wanted = eventFilter(filter);
    if (!attachment.resumed) yield [firstEvent(attachment)];
    try {
      for (let batch = await first; !batch.done; batch = await batches.next()) yield batch.value.filter(wanted);
    } finally {
      await batches.return?.();
    }
  }
}

/** Waits for the end of a run. Answers `undefined` when the client or the server went away first. */
export async function awaitEnd(
  context: ApiContext,
  caller: Caller,
  res: Response,
  attachment: Attachment,
): Promise<RunOutcome | undefined> {
  const connection = connect(context, caller, res, attachment, START_EXPECTED_MS);
  let values: string | undefined;
  for await (const events of connection.batches) {
    values = events.findLast(({ event }) => event === 'values')?.data ?? values;
  }
  const ended = connection.ended();
  return ended && { ended, ...(values !== undefined && { values }) };
}

export interface RunOutcome {
  ended: EndedData;
  /** JSON text of the last state that the run told, where it told any: what the thread holds may be of a later run already. */
  values?: string;
}

interface Connection {
  batches: AsyncIterable<ClientEvent[]>;
  ended(): EndedData | undefined;
  /** Lists show the run before it says anything. Pending for ever where its first words come sooner. */
  admitted: Promise<void>;
}

/** The run's events for as long as the client is there and this server is up. */
function connect(
  context: ApiContext,
  caller: Caller,
  res: Response,
  attachment: Attachment,
  startExpectedMs: number,
): Connection {
  const { run, afterSeq, replay } = attachment;
  const gone = new AbortController();
  let ended: EndedData | undefined;
  const access = watchAccess(context, accessOf(context, res), run.threadId);
  const leave = () => {
    gone.abort();
    // Who is cut off has lost the right to read, and with it that to stop the run.
    const isOver = ended !== undefined || context.shutdown.aborted || access.lost.aborted;
    if (attachment.cancelOnDisconnect && !isOver) cancelAbandoned(context, caller, run);
  };
  if (res.closed) leave();
  else res.once('close', leave);
  const admission = admitLater(context, attachment, startExpectedMs);
  const recordedEnd = endOf(run);
  const source: EventSource = {
    threadId: run.threadId,
    runId: run.runId,
    afterSeq,
    replay,
    ...(recordedEnd && { ended: recordedEnd }),
    signal: firstOf(gone.signal, access.lost, context.shutdown).signal,
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
      access.stop();
    }
  }
}

/** The start of a run shows it; where nothing is heard of it in time, this does. */
function admitLater(
  context: ApiContext,
  { run, admit }: Attachment,
  startExpectedMs: number,
): { timer?: NodeJS.Timeout; done: Promise<void> } {
  if (!admit) return { done: Promise.resolve() };
  let tell = (): void => undefined;
  const done = new Promise<void>((resolve) => (tell = resolve));
  const timer = setTimeout(() => void admit().catch(report).then(tell), startExpectedMs).unref();
  return { timer, done };

  function report(error: unknown): void {
    if (errorCode(error) !== 'not_found') context.report(error, `admission of run ${run.runId}`);
  }
}

/** The first event of every stream. It has an id, so that a client that loses the stream right after it comes back to the same place. */
function firstEvent({ run, afterSeq }: Attachment): ClientEvent {
  const data = JSON.stringify({ run_id: run.runId, attempt: 1 });
  return { id: `${run.createdAt.getTime()}-${afterSeq}`, event: 'metadata', data };
}
