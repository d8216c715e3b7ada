import { median, percentile, type Samples } from './measure.js';
import type { ProfiledTurns } from './profile-shares.js';

/** The result of a bench. With `--json` the bench prints it as its last line. */
export interface Result {
  name: string;
  /** Unit of `ours` and `against`. */
  unit: 'ms' | 's' | 'runs/s';
  ours: number;
  against: Record<string, number>;
  /**
   * The result of a comparison of `ours` with values of `against`. For each bench, the table in
   * `docs/design/bench.md` says how the ratio is calculated.
   */
  ratio: number;
  /**
   * The goal of the bench. For `turn`, `wait`, `history`, `idle` and `versus` it is the highest
   * allowed `ratio`. For `throughput` it is the lowest allowed `ratio`. For the other benches it is
   * the highest allowed `ours`.
   */
  goal: number;
  met: boolean;
  /** Number of samples of `ours`. */
  n: number;
}

export interface Report {
  result: Result;
  /** Keys: names of what was measured. The table has one row for each name. */
  samples: Samples;
  /** Sentences that are printed under the table. */
  notes: string[];
  /**
   * A period in which only identical turns ran. With `--profile` the report shows how much CPU time
   * of these turns was spent in LangGraph, in the Temporal SDK, and so on.
   */
  profiled?: ProfiledTurns;
}

const HEADER = ['', 'p50', 'p99', 'lowest', 'highest', 'n'];

export function formatReport({ result, samples, notes }: Report, question: string): string {
  const rows = Object.entries(samples).map(([name, values]) => [
    name,
    ...[median(values), percentile(values, 99), percentile(values, 0), percentile(values, 100)].map(number),
    String(values.length),
  ]);
  const verdict = `${result.met ? 'met' : 'MISSED'}: ours ${number(result.ours)} ${result.unit}, ratio ${result.ratio.toFixed(2)}, goal ${result.goal}`;
  return [question, '', ...formatTable([[...HEADER.with(0, result.unit)], ...rows]), '', ...notes, verdict].join('\n');
}

function formatTable(rows: string[][]): string[] {
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

/** Rounds to three decimals, which are enough for JSON. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export function formatResult(result: Result): string {
  const against = Object.fromEntries(Object.entries(result.against).map(([name, value]) => [name, rounded(value)]));
  return JSON.stringify({ ...result, ours: rounded(result.ours), against, ratio: rounded(result.ratio) });
}
