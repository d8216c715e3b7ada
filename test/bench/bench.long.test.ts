import { describe, it, expect } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { UsageError, readCommandLine } from '../../bench/command-line.js';
import { interleave, percentile, rate } from '../../bench/measure.js';
import { formatShares, sharesOf, type CpuProfile } from '../../bench/profile-shares.js';
import { formatReport, formatResult, type Report } from '../../bench/report.js';
import { colloquy } from '../support/colloquy.js';

const MAIN: [string, string] = [process.execPath, resolve('dist/bench/main.js')];
const KNOWN = ['turn', 'wait', 'versus'];

const report: Report = {
  result: {
    name: 'turn',
    unit: 'ms',
    ours: 64.12345,
    against: { 'bare Temporal': 40.00049, 'graph in-process': 12 },
    ratio: 1.233,
    goal: 1.3,
    met: true,
    n: 3,
  },
  samples: { ours: [64, 60, 300], 'bare Temporal': [40, 39, 41] },
  notes: ['ratio: to the sum'],
};

describe('the command line of the benches', () => {
  it('reads the name of a bench and its flags', () => {
    expect(readCommandLine(['wait', '--json', '--samples', '5', '--profile', '/tmp/p'], KNOWN)).toEqual({
      name: 'wait',
      json: true,
      options: { samples: 5 },
      profileDir: '/tmp/p',
    });
    expect(readCommandLine([], KNOWN)).toEqual({ json: false, options: {} });
  });

  it.each([
    [['nap'], 'unknown bench nap; there are turn, wait, versus'],
    [['turn', 'wait'], 'one bench at a time, not turn and wait'],
    [['turn', '--samples', '0'], '--samples is 0; expected a whole number from 1'],
    [['turn', '--fast'], "Unknown option '--fast'"],
    [['versus'], 'versus needs --tree, and no other bench takes it'],
    [['turn', '--tree', '.'], 'versus needs --tree, and no other bench takes it'],
    [['versus', '--tree', 'docs'], '--tree is docs; expected a checkout of Colloquy in which npm run build has run'],
  ])('refuses the arguments %j and names the reason', (args, message) => {
    expect(() => readCommandLine(args, KNOWN)).toThrow(UsageError);
    expect(() => readCommandLine(args, KNOWN)).toThrow(message);
  });

  it('lists all benches if no name is given, and exits with code 2 if the name is unknown', async () => {
    const listed = await colloquy([], { command: MAIN });
    expect(listed.code).toBe(0);
    const names = [...listed.stdout.matchAll(/^ {2}([a-z][a-z-]+) +[A-Z]/gm)].map(([, name]) => name);
    expect(names).toEqual([
      'turn',
      'wait',
      'throughput',
      'first-token',
      'recovery',
      'history',
      'fanout',
      'idle',
      'bystanders',
      'versus',
    ]);
    const unknown = await colloquy(['nap'], { command: MAIN });
    expect({ code: unknown.code, stderr: unknown.stderr }).toEqual({
      code: 2,
      stderr:
        'bench: unknown bench nap; there are turn, wait, throughput, first-token, recovery, history, fanout, idle, bystanders, versus\n',
    });
  });
});

describe('the measurement of the compared variants (arms)', () => {
  it('alternates the arms, starts each round with another arm, and drops the warm-up samples', async () => {
    const order: string[] = [];
    const arm = (name: string) => ({ name, once: () => Promise.resolve(order.push(name)) });
    const samples = await interleave([arm('a'), arm('b')], { rounds: 2, warmup: 1 });
    expect(order).toEqual(['a', 'b', 'b', 'a', 'a', 'b']);
    expect(samples).toEqual({ a: [4, 5], b: [3, 6] });
  });

  it('throws an error that names the arm if an arm fails', async () => {
    const once = () => Promise.reject(new Error('connection refused'));
    await expect(interleave([{ name: 'ours', once }], { rounds: 1, warmup: 0 })).rejects.toThrow(
      'ours: connection refused',
    );
  });

  it('counts only the calls that end inside the time window', async () => {
    expect(await rate(2, 20, () => new Promise((resolve) => setTimeout(resolve, 60)))).toBe(0);
  });

  it('takes percentiles by the nearest-rank method', () => {
    expect([percentile([3, 1, 2], 50), percentile([3, 1, 2], 99), percentile([4], 1)]).toEqual([2, 3, 4]);
  });
});

describe('a CPU profile', () => {
  const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
    id,
    callFrame: { functionName, url },
    children,
  });
  const profile: CpuProfile = {
    nodes: [
      node(1, '(root)', '', [2, 3, 4, 5]),
      node(2, 'send', 'file:///app/node_modules/mongodb/lib/wire.js', [6]),
      node(3, 'commit', 'file:///app/dist/threads/saver.js', [7]),
      node(4, '(idle)', ''),
      node(5, 'tick', 'node:internal/timers'),
      node(6, 'write', 'node:net'),
      node(7, 'put', 'file:///app/node_modules/a/node_modules/@langchain/core/put.js'),
    ],
    startTime: 1_000_000,
    // The first sample was taken before the profiled turns, the last sample after them.
    samples: [2, 6, 7, 3, 4, 5, 2, 2],
    timeDeltas: [1_000, 4_000, 6_000, 2_000, 9_000, 1_000, 2_000, 50_000],
  };

  it('attributes CPU time to the package whose code ran, and the time of Node.js functions to the package that calls them', () => {
    const shares = sharesOf(profile, { from: 1_002, to: 1_030, turns: 2 });
    expect([...shares]).toEqual([
      ['MongoDB driver', 3],
      ['LangGraph', 3],
      ['ours', 1],
      ['Node.js', 0.5],
    ]);
    expect(formatShares(new Map([['worker-1', shares]])).split('\n')[1]).toBe(
      '  worker-1: MongoDB driver 3.0, LangGraph 3.0, ours 1.0, Node.js 0.5',
    );
  });
});

describe('the report of a bench', () => {
  it('is formatted as a table for people', () => {
    expect(formatReport(report, 'How long is a turn?').split('\n')).toEqual([
      'How long is a turn?',
      '',
      'ms              p50   p99  lowest  highest  n',
      'ours           64.0   300    60.0      300  3',
      'bare Temporal  40.0  41.0    39.0     41.0  3',
      '',
      'ratio: to the sum',
      'met: ours 64.1 ms, ratio 1.23, goal 1.3',
    ]);
  });

  it('is formatted as one JSON object for programs', () => {
    expect(JSON.parse(formatResult(report.result))).toEqual({
      name: 'turn',
      unit: 'ms',
      ours: 64.123,
      against: { 'bare Temporal': 40, 'graph in-process': 12 },
      ratio: 1.233,
      goal: 1.3,
      met: true,
      n: 3,
    });
  });
});

describe('a bench', () => {
  it('runs on the servers that its flags name, prints its result as the last line, and leaves no temporary folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-test-bench-'));
    const servers = [
      ...['--temporal-address', process.env['COLLOQUY_TEST_TEMPORAL_ADDRESS'] ?? ''],
      ...['--mongodb-uri', process.env['COLLOQUY_TEST_MONGODB_URI'] ?? ''],
    ];
    const { code, stdout, stderr } = await colloquy(['turn', '--samples', '1', '--json', ...servers], {
      command: MAIN,
      env: { TMPDIR: folder },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(Object.keys(result)).toEqual(['name', 'unit', 'ours', 'against', 'ratio', 'goal', 'met', 'n']);
    expect(result).toMatchObject({ name: 'turn', unit: 'ms', goal: 1.3, n: 1 });
    for (const value of [result.ours, result.ratio, ...Object.values(result.against)]) expect(value).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => name.startsWith('colloquy-'))).toEqual([]);
    rmSync(folder, { recursive: true });
  }, 150_000);
});
