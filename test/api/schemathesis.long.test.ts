import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { installPackage } from '../../servers/python-packages.js';
import { ServiceProcesses } from '../support/house.js';

const SEED = '20261124';
/**
 * The checks of Schemathesis that every answer must pass. Its other checks are left out, because
 * they are a matter of taste.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
];

describe('the API under generated requests', () => {
  let house: ServiceProcesses;
  let url: string;
  let bin: string;

  beforeAll(async () => {
    house = new ServiceProcesses(resolve('bench/project/langgraph.json'));
    const [api, , found] = await Promise.all([
      house.api(),
      house.worker(),
      installPackage(resolve('.colloquy/schemathesis'), { name: 'schemathesis', version: '4.32.5' }, (line) =>
        console.log(line),
      ),
    ]);
    url = api.url;
    bin = found;
  });
  afterAll(() => house.stop());

  it('gives only HTTP answers that its OpenAPI description contains, and never an internal error', async () => {
    const { code, said } = await run(join(bin, 'st'), [
      ...[
        'run',
        `${url}/openapi.json`,
        '--seed',
        SEED,
        '--max-examples',
        '15',
        '--phases',
        'coverage,fuzzing,stateful',
        // The streams of these two paths do not end, so they are not tested.
        ...['--exclude-path', '/threads/{thread_id}/stream'],
        ...['--exclude-path', '/threads/{thread_id}/stream/events'],
      ],
      ...['--checks', CHECKS.join(','), '--request-timeout', '30', '--workers', '2', '--no-color'],
    ]);
    expect(code === 0 ? '' : said).toBe('');
    const [, selected, all] = /Selected: (\d+)\/(\d+)\n/.exec(said) ?? [];
    expect(Number(all) - Number(selected)).toBe(2);
    expect(Number(/(\d+) generated, \d+ passed/.exec(said)?.[1])).toBeGreaterThan(1_000);
  });
});

function run(command: string, args: string[]): Promise<{ code: number | null; said: string }> {
  const env = { ...process.env, GRAPH_ID: 'one', SCHEMATHESIS_HOOKS: resolve('test/api/schemathesis_hooks.py') };
  const child = spawn(command, args, { env, cwd: resolve('.colloquy'), stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => done({ code, said }));
  });
}
