import { CONTROL_EVENTS, endOf, ifFound, type Caller, type EndedData } from '../protocol/index.js';
import type { RunLog } from '../streams/index.js';
import type { RunEnd, ThreadStore } from '../threads/index.js';

/**
 * Ends a run's record, then appends the run's last event, so that a reader of the event finds the
 * record ended. If the record has already ended with another status, the event gets that status.
 * Resolves to the offset of the last event. Errors: `fence_lost` if another attempt has taken over
 * the run.
 */
export async function endRunRecords(
  threads: ThreadStore,
  caller: Caller,
  threadId: string,
  end: RunEnd,
  log: RunLog,
): Promise<number> {
  const own: EndedData = {
    run_id: end.runId,
    status: end.status,
    ...(end.error !== undefined && { error: end.error }),
  };
  const [, isOwn] = await Promise.all([log.flush(), threads.endRun(caller, threadId, end)]);
  if (isOwn) return appendEnd(log, own);
  const run = await ifFound(threads.getRun(caller, threadId, end.runId, { admittedOnly: false }));
  return appendEnd(log, (run && endOf(run)) ?? own);
}

/**
 * Appends the last events of a run: the event `error` if the run failed, then the event that marks
 * the end of the run. Returns the offset of this last event.
 */
export function appendEnd(log: RunLog, data: EndedData): Promise<number> {
  if (data.error !== undefined) log.append({ ns: '', event: 'error', data: JSON.stringify(data.error) });
  log.append({ ns: '', event: CONTROL_EVENTS.ended, data: JSON.stringify(data) });
  return log.flush();
}
