import { findRun } from '../../conversations/find.js';
import { ifFound } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';
import { awaitEnd, type Attachment, type RunFollower } from './follow.js';

/**
 * Returns the HTTP answer to a client that waits for a run, as JSON text: the output of the run, or
 * its error. Returns undefined if one of these happens before the end of the run: the client
 * disconnects or loses the right to read the run, or the server shuts down.
 */
export async function runOutput(
  context: ApiContext,
  follower: RunFollower,
  attachment: Attachment,
  bound: Promise<void> = Promise.resolve(),
): Promise<string | undefined> {
  const { threadId, runId } = attachment.run;
  const outcome = await awaitEnd(context, follower, attachment);
  if (!outcome) return undefined;
  await bound.catch((error: unknown) => context.report(error, `thread of run ${runId}`));
  if (outcome.ended.error) return JSON.stringify({ __error__: outcome.ended.error });
  if (outcome.values !== undefined) return outcome.values;
  // A run that was rolled back has no record and no output.
  const run = await ifFound(findRun(context, follower.caller, threadId, runId));
  const values = run && (await ifFound(context.states.finalValues(follower.caller, run)));
  return JSON.stringify(values ?? null);
}
