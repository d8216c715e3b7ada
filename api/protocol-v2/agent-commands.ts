import { getTreeParams } from '../../protocol/schemas/index.js';
import { findRun } from '../../conversations/find.js';
import { parse } from '../http/validate.js';
import type { CommandHandler } from './command.js';
import { orRefused, refused } from './errors.js';
import { lastSeqOf } from './events.js';
import { translatedRun } from './thread-events.js';

/** `agent.getTree`: the namespaces of a run, the newest by default, and how each stands; read from the log, on any process. */
export const getTree: CommandHandler = async (context, { caller, threadId }, given) => {
  const { run_id: runId } = parse(getTreeParams, given, 'params');
  const tail = await context.events.tail(caller, threadId);
  const missing = `thread ${threadId} has no run ${runId ?? ''}`.trim();
  const run = runId
    ? await orRefused(findRun(context, caller, threadId, runId), 'no_such_run', missing)
    : (await orRefused(context.threads.listRuns(caller, threadId, { limit: 1, offset: 0 }), 'no_such_run', missing))[0];
  if (!run) throw refused('no_such_run', missing);
  const { tree } = await translatedRun(context, caller, run);
  return { result: { tree }, appliedThrough: lastSeqOf(tail) };
};
