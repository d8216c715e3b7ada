import { describe, expect, it } from '@jest/globals';
import { checkBlame } from './blame.js';
import type { LedgerRecord } from './records.js';
import { sayAsk, type Ask } from './script.js';

const NAMES = { conversation: 'a1', threadId: 't1', n: 1, runId: 'r1' } as const;

interface Given {
  kind: Ask['kind'];
  status: string;
  error?: string;
  executions?: number;
  /** Process that was killed while the run was executed. */
  killed?: string;
}

/** Returns what the checker says about one run. */
function blame({ kind, status, error, executions = 1, killed }: Given): string[] {
  const text = sayAsk({ conversation: 'a1', n: 1, kind, calls: 1, words: 3 });
  const run = { subgraphs: false, connections: 1, tookMs: 1_000, ...(error !== undefined && { error }) };
  const records: LedgerRecord[] = [
    { type: 'accepted', ...NAMES, part: 'ask', text, at: 100_000 },
    { type: 'seen', ...NAMES, part: 'ask', status, ...run },
    ...Array.from({ length: executions }, () => ({ type: 'execution' as const, ...NAMES })),
  ];
  if (killed !== undefined)
    records.push({ type: 'fault', victim: killed, action: 'kill', beganAt: 100_100, endedAt: 100_200 });
  return checkBlame(records).map(({ kind: found, detail }) => `${found}: ${detail.replace(/^[^:]*: /, '')}`);
}

describe('the checker of blame', () => {
  it('finds nothing wrong with misbehaving runs that end as they must', () => {
    const crash = 'process_crashed: the process has ended: ';
    expect(blame({ kind: 'exit', status: 'error', error: `${crash}exit code 3`, executions: 4 })).toEqual([]);
    expect(blame({ kind: 'kill', status: 'error', error: `${crash}signal SIGKILL` })).toEqual([]);
    expect(blame({ kind: 'uncaught', status: 'error', error: `${crash}uncaught in a1.1` })).toEqual([]);
    expect(blame({ kind: 'throw', status: 'error', error: 'Error: Symbol(odd)' })).toEqual([]);
    expect(blame({ kind: 'deaf', status: 'interrupted' })).toEqual([]);
    expect(blame({ kind: 'later', status: 'success', executions: 9 })).toEqual([]);
  });

  it('finds an innocent run that is blamed for a crash', () => {
    const error = 'process_crashed: signal SIGKILL';
    expect(blame({ kind: 'tool', status: 'error', error })).toEqual([`blame: an innocent run was blamed: ${error}`]);
    expect(blame({ kind: 'once', status: 'error', error })).toEqual([
      `blame: ended as error (${error}), not as success`,
    ]);
    expect(blame({ kind: 'throw', status: 'error', error: `${error} null` })).toEqual([
      `blame: was given the wrong kind of error: ${error} null`,
    ]);
  });

  it('finds a crashing run that does not end in an error', () => {
    expect(blame({ kind: 'exit', status: 'success' })).toEqual(['blame: ended as success (), not as error']);
  });

  it('finds an error that does not name the exit code or the signal, unless a fault has killed the process', () => {
    const error = 'process_crashed: signal SIGKILL';
    expect(blame({ kind: 'exit', status: 'error', error })).toEqual([
      `blame: its error does not name "exit code 3": ${error}`,
    ]);
    expect(blame({ kind: 'exit', status: 'error', error, killed: 'api-1' })).toHaveLength(1);
    expect(blame({ kind: 'exit', status: 'error', error, killed: 'executors of worker-1' })).toEqual([]);
  });

  it('finds a crashing node that is executed too often, and allows one execution more for each fault', () => {
    const error = 'process_crashed: exit code 3';
    const given = { kind: 'exit', status: 'error', error, executions: 6 } as const;
    expect(blame(given)).toEqual(['blame: was executed 6 times, with 0 faults at most 5']);
    expect(blame({ ...given, killed: 'worker-1' })).toEqual([]);
  });
});
