import { setTimeout as sleep } from 'node:timers/promises';
import { ifFound, isEnded, serviceCaller, type Caller, type Run } from '../protocol/index.js';
import type { ConversationView } from '../workflows/contract.js';
import type { ConversationContext } from './context.js';
import { endLost } from './end-lost-runs.js';
import { mapLimited } from './map-limited.js';
import type { ConversationExecution } from './ports.js';

/**
 * How often and after which pause, in ms, a conversation is asked again that still has an event to
 * handle. Conversations handle an event in milliseconds.
 */
const SETTLE_ATTEMPTS = 5;
const SETTLE_PAUSE_MS = 200;

interface Candidates {
  /**
   * Ids of runs that are checked even if lists do not show them yet. A client that has the id of
   * a run has got it after the run was submitted.
   */
  named?: readonly string[];
  /** Checks only runs that were created before this run. */
  before?: Pick<Run, 'createdAt'>;
}

/**
 * Finds the lost runs of a thread and ends them with the status `error`. A run is lost if no open
 * execution of the thread's workflow knows it: the workflow was terminated, deleted, reset to an
 * earlier point, or has ended in another way from outside. Returns the ids of the ended runs.
 *
 * A run is never lost because no worker answers or because Temporal cannot be reached. Then this
 * function throws and ends no run. Errors: `unavailable`.
 */
export async function endLostRuns(
  context: ConversationContext,
  tenant: string,
  threadId: string,
  candidates: Candidates = {},
): Promise<string[]> {
  const caller = serviceCaller(tenant, 'sweeper');
  // The order of these reads matters. Lists show a run only after its submission, so the workflow
  // must know a run that was listed before the workflow was asked. A run that ends or starts
  // meanwhile changes its record, and `endLost` ends only runs whose records have not changed.
  const runs = await readCandidates(context, caller, threadId, candidates);
  if (runs.length === 0) return [];
  const checkedAt = new Date();
  const execution = await context.conversations.describe(caller, threadId);
  const lost = await lostRuns(context, caller, threadId, runs, execution);
  if (lost.length === 0) return [];
  const end = execution.isOpen ? undefined : { ...execution, endedAt: execution.endedAt ?? checkedAt };
  return endLost(context, caller, threadId, lost, end);
}

async function readCandidates(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  { named = [], before }: Candidates,
): Promise<Run[]> {
  const active = (await ifFound(context.threads.activeRuns(caller, threadId))) ?? [];
  const unlisted = named.filter((runId) => active.every((run) => run.runId !== runId));
  const others = await mapLimited(unlisted, (runId) =>
    ifFound(context.threads.getRun(caller, threadId, runId, { admittedOnly: false })),
  );
  const runs = [...active, ...others.flatMap((run) => (run === undefined || isEnded(run.status) ? [] : [run]))];
  return before === undefined ? runs : runs.filter((run) => run.createdAt < before.createdAt);
}

/**
 * Returns the runs that no execution will work on. Returns none if this cannot be decided now: the
 * workflow does not settle, or another execution has begun. A later call decides it.
 */
async function lostRuns(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  runs: Run[],
  execution: ConversationExecution,
): Promise<Run[]> {
  if (!execution.isOpen) return runs;
  for (let attempt = 1; attempt <= SETTLE_ATTEMPTS; attempt += 1) {
    const known = knownRuns(await view(context, caller, threadId));
    const unknown = runs.filter((run) => !known.has(run.runId));
    if (unknown.length === 0) return [];
    // A cancelled run leaves the queue before the activity that ends it has run. So a run that is
    // missing in the queue is lost only if the workflow has nothing to handle. This must be read
    // after the queue. After a reset, the same applies to updates that are not applied again yet.
    const after = await context.conversations.describe(caller, threadId);
    if (!after.isOpen || after.executionId !== execution.executionId) return [];
    if (!after.isSettling) return unknown;
    await sleep(SETTLE_PAUSE_MS, undefined, { signal: context.shutdown });
  }
  return [];
}

/** Returns the view of a conversation. Gives up when the process stops. */
async function view(context: ConversationContext, caller: Caller, threadId: string): Promise<ConversationView> {
  const { shutdown } = context;
  shutdown.throwIfAborted();
  let stop = (): void => undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = () => reject(shutdown.reason as Error);
    shutdown.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([context.conversations.view(caller, threadId), stopped]);
  } finally {
    shutdown.removeEventListener('abort', stop);
  }
}

function knownRuns({ current, queue, delayed = [], injected = [] }: ConversationView): Set<string> {
  return new Set([
    ...(current === undefined ? [] : [current.runId]),
    ...queue,
    ...delayed.map(({ runId }) => runId),
    ...injected,
  ]);
}
