/**
 * The chaos program. It runs conversations, and kills and freezes processes meanwhile. Then it
 * reports everything that users would notice: lost data and duplicated data. Example:
 * npm run chaos -- --seed 7 --minutes 2 --conversations 12 --faults worker,api,temporal,mongodb
 * --json
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../cli/index.js';
import { runChaos, type ChaosOptions, type ChaosReport } from './chaos.js';
import { FAULT_KINDS, type FaultKind } from './faults.js';

const USAGE = `usage: npm run chaos -- [--seed N] [--minutes M] [--conversations N] [--faults ${FAULT_KINDS.join(',')}]
       [--animals N] [--workers N] [--apis N] [--keep] [--json]`;

interface Arguments {
  options: Omit<ChaosOptions, 'folder' | 'say'>;
  json: boolean;
  keep: boolean;
}

function readArguments(args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '1' },
      conversations: { type: 'string', default: '12' },
      animals: { type: 'string', default: '2' },
      faults: { type: 'string', default: FAULT_KINDS.join(',') },
      workers: { type: 'string', default: '2' },
      apis: { type: 'string', default: '2' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const faults = values.faults.split(',').filter((kind) => kind !== '');
  const unknown = faults.find((kind) => !FAULT_KINDS.includes(kind as FaultKind));
  if (unknown !== undefined) throw new Error(`--faults ${unknown}: unknown; known are ${FAULT_KINDS.join(', ')}`);
  return {
    options: {
      seed: number('seed', values.seed, 0),
      minutes: number('minutes', values.minutes, 0.01),
      conversations: number('conversations', values.conversations, 1),
      animals: number('animals', values.animals, 0),
      workers: number('workers', values.workers, 1),
      apis: number('apis', values.apis, 1),
      faults: faults as FaultKind[],
      toolsDir: join(packageRoot(), '.colloquy'),
    },
    json: values.json,
    keep: values.keep,
  };
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text === '' || Number.isNaN(value) || value < least)
    throw new Error(`--${name} is ${text}; expected a number from ${least}`);
  return value;
}

function show({ violations, ...report }: ChaosReport, folder: string): void {
  for (const { kind, conversation, threadId, runId, detail } of violations) {
    console.log(`VIOLATION ${kind} in ${conversation} (thread ${threadId}${runId ? `, run ${runId}` : ''}): ${detail}`);
  }
  for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(18)}${JSON.stringify(value)}`);
  if (violations.length > 0)
    console.log(
      `\n${violations.length} violations. Again: npm run chaos -- --seed ${report.seed} --minutes ${report.minutes}; ledger and logs: ${folder}`,
    );
}

async function main(args: string[]): Promise<number> {
  let parsed: Arguments;
  try {
    parsed = readArguments(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-chaos-'));
  const say = parsed.json ? (line: string) => console.error(line) : (line: string) => console.log(line);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  const report = await runChaos({ ...parsed.options, folder, say, signal: stop.signal });
  if (parsed.json) {
    for (const { kind, conversation, detail } of report.violations)
      say(`VIOLATION ${kind} in ${conversation}: ${detail}`);
    console.log(JSON.stringify(report));
  } else show(report, folder);
  if (!parsed.keep && report.violations.length === 0) rmSync(folder, { recursive: true, force: true });
  return report.violations.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), 1_000).unref();
