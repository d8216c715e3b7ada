import type { Client } from '@langchain/langgraph-sdk';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Animal, Outcome, Status } from './animal.js';
import { MARKS, isAlive, type Ledger } from './ledger.js';

/** What came of one animal. */
export interface Visit {
  outcome: Outcome;
  /** The ids of its runs, one for each turn. */
  runs: string[];
  /** The processes of its nodes that were alive right after its end. A later animal may end them. */
  alive: number[];
}

const ENDED: readonly string[] = ['success', 'error', 'timeout', 'interrupted'];
const POLL_MS = 250;

/** Runs the turns of an animal as a client does. Stops after the first turn that fails. */
export async function visit(client: Client, animal: Animal, ledger: Ledger, signal: AbortSignal): Promise<Visit> {
  const { thread_id: threadId } = await client.threads.create({ signal });
  const runs: string[] = [];
  let outcome: Outcome = { status: 'success' };
  for (const input of animal.inputs) {
    const config = animal.recursionLimit === undefined ? {} : { recursion_limit: animal.recursionLimit };
    const { run_id: runId } = await client.runs.create(threadId, animal.graph, { input: { ...input }, config, signal });
    runs.push(runId);
    if (animal.meanwhile === 'cancel') {
      await ledger.started(runId, signal);
      await client.runs.cancel(threadId, runId, false, 'interrupt', { signal });
    }
    outcome = await ending(client, threadId, runId, signal);
    if (outcome.status !== 'success') break;
  }
  const marks = ledger.read(runs).filter(({ node }) => MARKS.includes(node));
  const alive = [...new Set(marks.map(({ pid }) => pid))].filter(isAlive);
  return { outcome, runs, alive };
}

/**
 * Waits for the end of a run and reads it from the run's record: the answer of `join` is the state,
 * which may contain values that no answer can contain.
 */
async function ending(client: Client, threadId: string, runId: string, signal: AbortSignal): Promise<Outcome> {
  const output = await client.runs.join(threadId, runId, { signal }).catch(() => undefined);
  for (;;) {
    const run = await client.runs.get(threadId, runId, { signal });
    if (ENDED.includes(run.status)) {
      const { error } = run as unknown as { error?: { error: string; message: string } | null };
      return {
        status: run.status as Status,
        ...(error && { error: error.error, message: error.message }),
        ...(output !== undefined && { output: output as Record<string, unknown> }),
      };
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
