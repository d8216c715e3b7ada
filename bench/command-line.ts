import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchOptions } from './bench.js';

export interface CommandLine {
  /** Name of the bench. If it is absent, the program only lists the benches. */
  name?: string;
  json: boolean;
  options: BenchOptions;
  temporalAddress?: string;
  mongodbUri?: string;
  profileDir?: string;
}

export class UsageError extends Error {}

export const USAGE = [
  'Usage: npm run bench -- NAME [flags]; without NAME, lists the benches',
  '',
  '  --json                   The last line is the result as one JSON object',
  '  --samples N              Samples of each thing compared; default: the number of the bench',
  '  --tree FOLDER            For versus: another checkout of Colloquy, built with npm run build',
  '  --profile FOLDER         Write CPU profiles of our processes there',
  '  --temporal-address H:P   Use this Temporal server; default: one is started',
  '  --mongodb-uri URI        Use this MongoDB; default: one is started',
].join('\n');

/** Parses the command line. `known` are the names of all benches. Errors: {@link UsageError}. */
export function readCommandLine(args: string[], known: readonly string[]): CommandLine {
  const { values, positionals } = parse(args);
  const [name, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`one bench at a time, not ${positionals.join(' and ')}`);
  if (name !== undefined && !known.includes(name)) {
    throw new UsageError(`unknown bench ${name}; there are ${known.join(', ')}`);
  }
  const samples = values.samples === undefined ? undefined : Number(values.samples);
  if (samples !== undefined && !(Number.isSafeInteger(samples) && samples > 0)) {
    throw new UsageError(`--samples is ${values.samples}; expected a whole number from 1`);
  }
  const { tree } = values;
  if ((name === 'versus') !== (tree !== undefined)) {
    throw new UsageError('versus needs --tree, and no other bench takes it');
  }
  if (tree !== undefined && !existsSync(join(tree, 'dist', 'api'))) {
    throw new UsageError(`--tree is ${tree}; expected a checkout of Colloquy in which npm run build has run`);
  }
  return {
    ...(name !== undefined && { name }),
    json: values.json ?? false,
    options: { ...(samples !== undefined && { samples }), ...(tree !== undefined && { tree }) },
    ...(values['temporal-address'] !== undefined && { temporalAddress: values['temporal-address'] }),
    ...(values['mongodb-uri'] !== undefined && { mongodbUri: values['mongodb-uri'] }),
    ...(values.profile !== undefined && { profileDir: values.profile }),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        samples: { type: 'string' },
        tree: { type: 'string' },
        profile: { type: 'string' },
        'temporal-address': { type: 'string' },
        'mongodb-uri': { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export function listBenches(benches: readonly Bench[]): string {
  const rows = benches.map(({ name, question }) => `  ${name.padEnd(12)} ${question}`);
  return [USAGE, '', ...rows].join('\n');
}
