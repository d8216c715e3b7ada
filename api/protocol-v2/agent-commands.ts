import { getTreeParams } from '../../protocol/schemas/index.js';
import { findRun } from '../../conversations/find.js';
import { parse } from '../http/validate.js';
import type { CommandHandler } from './command.js';
import { orProtocolError, protocolError } from './errors.js';
import { lastSeqOf } from './events.js';
import { translatedRun } from './thread-events.js';

/**
 * `agent.getTree`: returns the tree of a run's namespaces (the root graph and the graphs below it),
 * with their statuses. Without `run_id`, returns the tree of the newest run of the thread. The
 * namespaces are read from the event log, so any process can answer.
 */
export const getTree: CommandHandler = async (context, { caller, threadId }, rawParams) => {
  const { run_id: runId } = parse(getTreeParams, rawParams, 'params');
  const tail = await context.events.tail(caller, threadId);
  const missing = `thread ${threadId} has no run ${runId ?? ''}`.trim();
  const run = runId
    ? await orProtocolError(findRun(context, caller, threadId, runId), 'no_such_run', missing)
    : (
        await orProtocolError(
          context.threads.listRuns(caller, threadId, { limit: 1, offset: 0 }),
          'no_such_run',
          missing,
        )
      )[0];
  if (!run) throw protocolError('no_such_run', missing);
  const { tree } = await translatedRun(context, caller, run);
  return { result: { tree }, appliedThrough: lastSeqOf(tail) };
};
