import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MongoClient } from 'mongodb';
import { supervise } from '../../dev/supervisor.js';
import { RunningCommand, colloquy } from '../support/colloquy.js';
import { openToOthers } from '../support/modes.js';
import { exchange } from '../support/raw-http.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-dev-'));
/** The offline model must answer, whatever keys are in the environment of whoever runs this. */
const offline = { OPENAI_API_KEY: '', ANTHROPIC_API_KEY: '', COLLOQUY_MODEL: '' };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('colloquy dev on embedded servers', () => {
  const flags = ['dev', '--data-dir', join(folder, 'data'), '--tools-dir', resolve('.colloquy')];
  const ports = ['--port', '0', '--temporal-port', '0', '--ui-port', '0', '--mongodb-port', '0'];

  it('starts everything, holds a conversation with an approval, and finds it again after a restart', async () => {
    const first = new RunningCommand([...flags, ...ports], { cwd: folder, env: offline });
    const url = await apiUrl(first);
    expect(first.stdout).toMatch(/Temporal Web UI +http:\/\/127\.0\.0\.1:\d+/);
    expect(first.stdout).toMatch(/Database +mongodb:\/\/127\.0\.0\.1:\d+\S* +(SecantusDB|mongod)/);
    expect(first.stdout).toMatch(/^Temporal and the database ask for no password: any user of this machine /m);
    expect(openToOthers(join(folder, 'data'))).toEqual([]);
    // A page whose own name points at this machine is not answered.
    const ask = async (host: string) =>
      (await exchange(url, `GET /threads HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).statuses;
    expect([await ask('evil.example'), await ask('10.0.0.1'), await ask('localhost')]).toEqual([[403], [403], [405]]);
    const asked = await chat(url, ['I need a senior Go engineer in Berlin', 'contact Dmitri', '/threads']);
    expect(asked).toMatch(/^· search_candidates \{/m);
    expect(asked).toMatch(/Send this message to Dmitri Volkov\? \[approve \/ edit \/ reject\]/);
    expect(asked).toMatch(/The question stays open/);
    const id = /^\* ([0-9a-f]{8}) .* interrupted +I need a senior Go engineer in Berlin$/m.exec(asked)?.[1] ?? '';
    expect(id).not.toBe('');
    await stop(first);

    const second = new RunningCommand([...flags, ...ports], { cwd: folder, env: offline });
    const again = await chat(await apiUrl(second), [`/open ${id}`, 'approve', '/threads']);
    expect(again).toMatch(/^> I need a senior Go engineer in Berlin$/m);
    expect(again).toMatch(/Sent to Dmitri Volkov/);
    expect(again).toMatch(new RegExp(`^\\* ${id} .* idle`, 'm'));
    await stop(second);
  }, 120_000);
});

describe('colloquy dev on servers that are there', () => {
  const database = `dev-${randomUUID()}`;
  const flags = [
    ...['dev', '--port', '0', '--data-dir', join(folder, 'given'), '--workers', '2'],
    ...['--temporal-address', process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? ''],
    ...['--mongodb-uri', process.env.COLLOQUY_TEST_MONGODB_URI ?? ''],
    ...['--database', database, '--task-queue', database],
  ];
  let house: RunningCommand;
  let url: string;

  beforeAll(async () => {
    house = new RunningCommand([...flags, '--host', '0.0.0.0', '--open'], { cwd: folder, env: offline });
    url = (await house.printed(/from here +(http:\/\/\S+)[^]*Ready in/))[1] ?? '';
  }, 60_000);
  afterAll(async () => {
    await stop(house);
    const client = await MongoClient.connect(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
    await client.db(database).dropDatabase();
    await client.close();
  }, 60_000);

  it('says so, and starts none', () => {
    expect(house.stdout).toMatch(/Temporal +\S+ +address from the environment/);
    expect(house.stdout).toMatch(/Database +\S+ +address from the environment/);
    expect(house.stdout).not.toMatch(/Web UI/);
    expect(house.stdout).not.toMatch(/password/);
  });

  it('listens on every address with --open, prints where it is reached, and is called by loopback', () => {
    const { port, hostname } = new URL(url);
    expect(hostname).toBe('127.0.0.1');
    expect(house.stdout).toMatch(new RegExp(`^ {2}API +http://0\\.0\\.0\\.0:${port}$`, 'm'));
    expect(house.stdout).toMatch(/^Open: The shipped assistant has no auth\. Whoever reaches this machine reads/m);
    const log = readFileSync(join(folder, 'given', 'logs', 'api.log'), 'utf8');
    expect(log).toContain(`listening on http://0.0.0.0:${port}`);
    expect(openToOthers(join(folder, 'given'))).toEqual([]);
  });

  it('keeps several conversations apart and opens them by the start of their id', async () => {
    const talk = await chat(url, ['hello', '/new', 'I need a data engineer in Prague', '/threads']);
    const rows = [...talk.matchAll(/^([* ]) ([0-9a-f]{8}) .* (hello|I need a data engineer in Prague)$/gm)];
    expect(rows.map((row) => [row[1], row[3]])).toEqual([
      ['*', 'I need a data engineer in Prague'],
      [' ', 'hello'],
    ]);
    const opened = await chat(url, ['/open ffffffff', `/open ${rows[1]?.[2]?.slice(0, 6)}`]);
    expect(opened).toMatch(/No conversation begins with ffffffff\./);
    expect(opened).toMatch(/^> hello$/m);
  }, 60_000);

  it('tells in the chat what it does not know', async () => {
    const { code, stdout } = await colloquy(['chat', '--url', url], { input: '/what\n/open\n/help\n' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/There is no \/what; \/help shows what there is\./);
    expect(stdout).toMatch(/which one\? \/threads lists them/);
    expect(stdout).toMatch(/^\/open ID/m);
    const unknown = await colloquy(['chat', '--url', url, '--assistant', 'nobody'], { input: 'hello\n' });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/nobody/);
  }, 60_000);

  it('starts a worker again that was killed', async () => {
    const words: string[] = [];
    let word = () => {};
    const worker = supervise({
      name: 'worker 3',
      args: ['worker', ...flags.slice(7)],
      environment: { ...offline, NODE_OPTIONS: '' },
      logFile: join(folder, 'worker-3.log'),
      say: (line) => {
        words.push(line);
        word();
      },
    });
    await worker.ready;
    const isBack = new Promise<void>((resolve) => (word = () => words.at(-1) === 'worker 3 is back' && resolve()));
    worker.signal('SIGKILL');
    await isBack;
    expect(words[0]).toMatch(/^worker 3 ended \(signal SIGKILL\); starting it again in 0\.5 s; its log is /);
    await worker.stop();
    expect(readFileSync(join(folder, 'worker-3.log'), 'utf8').match(/serving hiring-assistant/g)).toHaveLength(2);
  }, 60_000);

  it('gives up at once, with the reason, when a worker cannot start at all', async () => {
    const { code, stderr } = await colloquy([...flags, '--config', '/nowhere/langgraph.json', '--no-chat'], {
      cwd: folder,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/ended \(exit code 1\) at start/);
    expect(stderr).toMatch(/\/nowhere\/langgraph\.json/);
  }, 60_000);
});

async function apiUrl(house: RunningCommand): Promise<string> {
  const [, url = ''] = await house.printed(/API +(http:\/\/\S+)[^]*Ready in/);
  return url;
}

async function chat(url: string, lines: string[]): Promise<string> {
  const { code, stdout, stderr } = await colloquy(['chat', '--url', url], { input: `${lines.join('\n')}\n` });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function stop(house: RunningCommand): Promise<void> {
  house.signal('SIGINT');
  const { code, stdout } = await house.finished;
  expect(stdout).toMatch(/stopped; conversations are kept/);
  expect(code).toBe(0);
}
