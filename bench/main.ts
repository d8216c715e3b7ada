/**
 * `npm run bench -- NAME`: runs one benchmark (a bench) and prints its result as a table. Starts
 * all servers and processes that the bench needs, and removes them at the end.
 */
import { readCommandLine, listBenches, UsageError, type CommandLine } from './command-line.js';
import type { Bench } from './bench.js';
import { bystanders } from './bystanders.js';
import { fanout } from './fanout.js';
import { firstToken } from './first-token.js';
import { history } from './history.js';
import { BenchHouse } from './house.js';
import { formatShares, readShares } from './profile-shares.js';
import { recovery } from './recovery.js';
import { idle } from './idle.js';
import { formatReport, formatResult } from './report.js';
import { throughput } from './throughput.js';
import { turn } from './turn.js';
import { versus } from './versus.js';
import { wait } from './wait.js';

const BENCHES: readonly Bench[] = [
  turn,
  wait,
  throughput,
  firstToken,
  recovery,
  history,
  fanout,
  idle,
  bystanders,
  versus,
];
const USAGE_EXIT = 2;

async function main(args: string[]): Promise<number> {
  const line = readCommandLine(
    args,
    BENCHES.map(({ name }) => name),
  );
  const bench = BENCHES.find(({ name }) => name === line.name);
  if (bench === undefined) {
    console.log(listBenches(BENCHES));
    return 0;
  }
  await run(bench, line);
  return 0;
}

async function run(bench: Bench, { json, options, ...house }: CommandLine): Promise<void> {
  const opened = await BenchHouse.start({ ...house, say: (text) => console.error(text) });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void opened.stop().finally(() => process.exit(130)));
  }
  try {
    const report = await bench.run(opened, options);
    console.log(formatReport(report, bench.question));
    if (house.profileDir !== undefined && report.profiled !== undefined) {
      await opened.stop();
      console.log(`\n${formatShares(readShares(house.profileDir, report.profiled))}`);
    }
    if (json) console.log(formatResult(report.result));
  } finally {
    await opened.stop();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof UsageError;
  console.error(expected ? `bench: ${error.message}` : error);
  process.exitCode = expected ? USAGE_EXIT : 1;
}
// Everything is closed now. A handle that a library left open must not keep the process alive.
setTimeout(() => process.exit(), 500).unref();
