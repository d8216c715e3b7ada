/**
 * Checks that the runs of misbehaving agents end as they must, and that only they are blamed.
 */
import { CRASHING, expectedEnd, isMischief } from './mischief.js';
import type { AcceptedRecord, ExecutionRecord, FaultRecord, LedgerRecord, SeenRecord } from './records.js';
import { readAsk, type Ask } from './script.js';
import type { Violation } from './violation.js';

/**
 * How often a node that always crashes may be executed if no fault is near. Three crashes count
 * against its run. A fourth does not, because other runs were in the same process. A fifth execution
 * may be ended because of another run.
 */
const MOST_EXECUTIONS = 5;
/** A fault may have an effect on a run that begins within this time after it, in ms. */
const AFTERMATH_MS = 15_000;
/** Faults that end executors with SIGKILL. A run that is alone in one of them is then blamed for it. */
const KILLS = /^(worker|executors)/;

export function checkBlame(records: readonly LedgerRecord[]): Violation[] {
  const accepted = records.filter((record): record is AcceptedRecord => record.type === 'accepted');
  const seen = records.filter((record): record is SeenRecord => record.type === 'seen');
  const faults = records.filter((record): record is FaultRecord => record.type === 'fault');
  const executions = records.filter((record): record is ExecutionRecord => record.type === 'execution');
  return accepted.flatMap((one) => {
    const run = seen.find(({ runId }) => runId === one.runId);
    if (run === undefined) return [];
    const ask = one.part === 'ask' ? readAsk(one.text) : undefined;
    const during = faults.filter(
      ({ beganAt, endedAt }) => endedAt + AFTERMATH_MS >= one.at && beganAt <= one.at + run.tookMs,
    );
    const found =
      ask === undefined || !isMischief(ask.kind)
        ? innocentFaults(run)
        : [...endFaults(ask, run, during), ...repetitions(ask, run, executions, during)];
    const { conversation, threadId, runId } = one;
    return found.map((detail) => ({ kind: 'blame', conversation, threadId, runId, detail: `${one.text}: ${detail}` }));
  });
}

function isCrash({ error }: SeenRecord): boolean {
  return error?.startsWith('process_crashed') ?? false;
}

function innocentFaults(run: SeenRecord): string[] {
  return isCrash(run) ? [`an innocent run was blamed: ${run.error}`] : [];
}

function endFaults(ask: Ask, run: SeenRecord, during: readonly FaultRecord[]): string[] {
  const expected = expectedEnd(ask);
  const { status, error = '' } = run;
  if (status !== expected.status) return [`ended as ${status} (${error}), not as ${expected.status}`];
  if (CRASHING.includes(ask.kind) !== isCrash(run)) return [`was given the wrong kind of error: ${error}`];
  const wasKilled = during.some(({ action, victim }) => action === 'kill' && KILLS.test(victim));
  const isNamed =
    expected.error === undefined ||
    error.includes(expected.error) ||
    (isCrash(run) && wasKilled && error.includes('signal SIGKILL'));
  return isNamed ? [] : [`its error does not name "${expected.error}": ${error}`];
}

function repetitions(
  { kind }: Ask,
  { runId }: SeenRecord,
  executions: readonly ExecutionRecord[],
  during: readonly FaultRecord[],
): string[] {
  const count = executions.filter((execution) => execution.runId === runId).length;
  const most = MOST_EXECUTIONS + during.length;
  if (!CRASHING.includes(kind) || count <= most) return [];
  return [`was executed ${count} times, with ${during.length} faults at most ${most}`];
}
