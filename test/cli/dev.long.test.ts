import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MongoClient } from 'mongodb';
import { supervise } from '../../cli/dev/supervise.js';
import { RunningCommand, colloquy } from '../support/colloquy.js';
import { openToOthers } from '../support/modes.js';
import { exchange } from '../support/raw-http.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-dev-'));
/**
 * Environment variables that select the offline model, even if the environment of the test run
 * contains API keys.
 */
const offline = { OPENAI_API_KEY: '', ANTHROPIC_API_KEY: '', COLLOQUY_MODEL: '' };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('colloquy dev with servers that it starts itself', () => {
  const flags = ['dev', '--data-dir', join(folder, 'data'), '--tools-dir', resolve('.colloquy')];
  const ports = ['--port', '0', '--temporal-port', '0', '--ui-port', '0', '--mongodb-port', '0'];

  it('starts all servers, and after a restart continues a conversation that waits for an approval', async () => {
    const first = new RunningCommand([...flags, ...ports], { cwd: folder, env: offline });
    const url = await apiUrl(first);
    expect(first.stdout).toMatch(/Temporal Web UI +http:\/\/127\.0\.0\.1:\d+/);
    expect(first.stdout).toMatch(/Database +mongodb:\/\/127\.0\.0\.1:\d+\S* +(SecantusDB|mongod)/);
    expect(first.stdout).toMatch(/^Temporal and the database have no password: any user of this machine /m);
    expect(openToOthers(join(folder, 'data'))).toEqual([]);
    // A request whose `Host` header is not a name of this API gets 403. Otherwise a web page could
    // read conversations by resolving its own domain to this machine (DNS rebinding).
    const statuses = async (host: string) =>
      (await exchange(url, `GET /threads HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).statuses;
    expect([await statuses('evil.example'), await statuses('10.0.0.1'), await statuses('localhost')]).toEqual([
      [403],
      [403],
      [405],
    ]);
    const beforeRestart = await chat(url, ['I need a senior Go engineer in Berlin', 'contact Dmitri', '/threads']);
    expect(beforeRestart).toMatch(/^· search_candidates \{/m);
    expect(beforeRestart).toMatch(/Send this message to Dmitri Volkov\? \[approve \/ edit \/ reject\]/);
    expect(beforeRestart).toMatch(/The question stays open/);
    const id =
      /^\* ([0-9a-f]{8}) .* interrupted +I need a senior Go engineer in Berlin$/m.exec(beforeRestart)?.[1] ?? '';
    expect(id).not.toBe('');
    await stop(first);

    const second = new RunningCommand([...flags, ...ports], { cwd: folder, env: offline });
    const afterRestart = await chat(await apiUrl(second), [`/open ${id}`, 'approve', '/threads']);
    expect(afterRestart).toMatch(/^> I need a senior Go engineer in Berlin$/m);
    expect(afterRestart).toMatch(/Sent to Dmitri Volkov/);
    expect(afterRestart).toMatch(new RegExp(`^\\* ${id} .* idle`, 'm'));
    await stop(second);
  }, 120_000);
});

describe('colloquy dev with the addresses of a running Temporal and MongoDB', () => {
  const database = `dev-${randomUUID()}`;
  const flags = [
    ...['dev', '--port', '0', '--data-dir', join(folder, 'given'), '--workers', '2'],
    ...['--temporal-address', process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? ''],
    ...['--mongodb-uri', process.env.COLLOQUY_TEST_MONGODB_URI ?? ''],
    ...['--database', database, '--task-queue', database],
  ];
  let stack: RunningCommand;
  let url: string;

  beforeAll(async () => {
    stack = new RunningCommand([...flags, '--host', '0.0.0.0', '--open'], { cwd: folder, env: offline });
    url = (await stack.printed(/from here +(http:\/\/\S+)[^]*Ready in/))[1] ?? '';
  }, 60_000);
  afterAll(async () => {
    await stop(stack);
    const client = await MongoClient.connect(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
    await client.db(database).dropDatabase();
    await client.close();
  }, 60_000);

  it('starts no servers itself, and reports that it uses these servers', () => {
    expect(stack.stdout).toMatch(/Temporal +\S+ +address from the environment/);
    expect(stack.stdout).toMatch(/Database +\S+ +address from the environment/);
    expect(stack.stdout).not.toMatch(/Web UI/);
    expect(stack.stdout).not.toMatch(/password/);
  });

  it('listens on every address with --open, and prints the addresses', () => {
    const { port, hostname } = new URL(url);
    expect(hostname).toBe('127.0.0.1');
    expect(stack.stdout).toMatch(new RegExp(`^ {2}API +http://0\\.0\\.0\\.0:${port}$`, 'm'));
    expect(stack.stdout).toMatch(
      /^Open: the shipped assistant has no auth\. Anyone who can reach this machine can read/m,
    );
    const log = readFileSync(join(folder, 'given', 'logs', 'api.log'), 'utf8');
    expect(log).toContain(`listening on http://0.0.0.0:${port}`);
    expect(openToOthers(join(folder, 'given'))).toEqual([]);
  });

  it('begins a separate conversation with /new, and with /open opens a conversation by the first characters of its id', async () => {
    const talk = await chat(url, ['hello', '/new', 'I need a data engineer in Prague', '/threads']);
    const rows = [...talk.matchAll(/^([* ]) ([0-9a-f]{8}) .* (hello|I need a data engineer in Prague)$/gm)];
    expect(rows.map((row) => [row[1], row[3]])).toEqual([
      ['*', 'I need a data engineer in Prague'],
      [' ', 'hello'],
    ]);
    const opened = await chat(url, ['/open ffffffff', `/open ${rows[1]?.[2]?.slice(0, 6)}`]);
    expect(opened).toMatch(/No conversation id starts with ffffffff\./);
    expect(opened).toMatch(/^> hello$/m);
  }, 60_000);

  it('reports unknown chat commands and assistants', async () => {
    const { code, stdout } = await colloquy(['chat', '--url', url], { input: '/what\n/open\n/help\n' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/Unknown command \/what; \/help lists the commands\./);
    expect(stdout).toMatch(/\/open needs an ID; \/threads lists the ids/);
    expect(stdout).toMatch(/^\/open ID/m);
    const unknown = await colloquy(['chat', '--url', url, '--assistant', 'nobody'], { input: 'hello\n' });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/nobody/);
  }, 60_000);

  it('restarts a worker that was killed', async () => {
    const lines: string[] = [];
    let onLine = () => {};
    const worker = supervise({
      name: 'worker 3',
      args: ['worker', ...flags.slice(7)],
      environment: { ...offline, NODE_OPTIONS: '' },
      logFile: join(folder, 'worker-3.log'),
      onProgress: (line) => {
        lines.push(line);
        onLine();
      },
    });
    await worker.ready;
    const isBack = new Promise<void>((resolve) => (onLine = () => lines.at(-1) === 'worker 3 is back' && resolve()));
    worker.signal('SIGKILL');
    await isBack;
    expect(lines[0]).toMatch(/^worker 3 ended \(signal SIGKILL\); restarting it in 0\.5 s; its log is /);
    await worker.stop();
    expect(readFileSync(join(folder, 'worker-3.log'), 'utf8').match(/serving hiring-assistant/g)).toHaveLength(2);
  }, 60_000);

  it('fails at once, with the reason, if a worker cannot start', async () => {
    const { code, stderr } = await colloquy([...flags, '--config', '/nowhere/langgraph.json', '--no-chat'], {
      cwd: folder,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/ended \(exit code 1\) at start/);
    expect(stderr).toMatch(/\/nowhere\/langgraph\.json/);
  }, 60_000);
});

async function apiUrl(stack: RunningCommand): Promise<string> {
  const [, url = ''] = await stack.printed(/API +(http:\/\/\S+)[^]*Ready in/);
  return url;
}

async function chat(url: string, lines: string[]): Promise<string> {
  const { code, stdout, stderr } = await colloquy(['chat', '--url', url], { input: `${lines.join('\n')}\n` });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function stop(stack: RunningCommand): Promise<void> {
  stack.signal('SIGINT');
  const { code, stdout } = await stack.finished;
  expect(stdout).toMatch(/stopped; conversations are kept/);
  expect(code).toBe(0);
}
