import { describe, it, expect } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS } from '../../cli/commands.js';
import { colloquy } from '../support/colloquy.js';

describe('the command line', () => {
  it('shows the commands, and the flags of each command', async () => {
    const { code, stdout } = await colloquy(['--help']);
    expect(code).toBe(0);
    for (const name of ['dev', 'api', 'worker', 'import-checkpoints', 'chat'])
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    const helps = await Promise.all(Object.keys(COMMANDS).map((name) => colloquy([name, '--help'])));
    expect(helps.map((help) => help.code)).toEqual([0, 0, 0, 0, 0]);
    for (const [index, { flags }] of Object.values(COMMANDS).entries()) {
      for (const flag of Object.keys(flags)) expect(helps[index]?.stdout).toContain(`--${flag}`);
    }
  });

  it('has flags for the addresses and port numbers of all servers', () => {
    const addresses = ['temporal-address', 'mongodb-uri'];
    expect(Object.keys(COMMANDS.dev.flags)).toEqual(
      expect.arrayContaining([...addresses, 'config', 'host', 'port', 'temporal-port', 'ui-port', 'mongodb-port']),
    );
    expect(Object.keys(COMMANDS.api.flags)).toEqual(expect.arrayContaining([...addresses, 'config', 'host', 'port']));
    expect(Object.keys(COMMANDS.worker.flags)).toEqual(expect.arrayContaining([...addresses, 'config', 'health-port']));
    expect(Object.keys(COMMANDS.chat.flags)).toEqual(expect.arrayContaining(['url', 'assistant', 'thread']));
  });

  it('refuses unknown commands and flags and invalid values with exit code 2, and names the wrong part', async () => {
    const wrong = [
      ['serve'],
      ['dev', '--prot', '3000'],
      ['dev', 'now'],
      ['dev', '--workers', 'many'],
      ['api', '--port'],
    ];
    const results = await Promise.all(wrong.map((args) => colloquy(args)));
    expect(results.map((result) => result.code)).toEqual([2, 2, 2, 2, 2]);
    const [command, flag, word, value, missing] = results.map((result) => result.stderr);
    expect(command).toBe(
      'colloquy: unknown command serve; commands are dev, api, worker, import-checkpoints, chat; see colloquy --help\n',
    );
    expect(flag).toContain("Unknown option '--prot'; see colloquy dev --help");
    expect(word).toContain("Unexpected argument 'now'");
    expect(value).toContain('--workers many: must be a whole number from 1 to 64');
    expect(missing).toContain('--port');
  });

  it('refuses a host that other machines can reach, and starts nothing, if the project has no auth', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'colloquy-cli-'));
    const byFlag = colloquy(['dev', '--host', '0.0.0.0'], { cwd });
    const byVariable = colloquy(['dev'], { cwd, env: { COLLOQUY_HOST: '::' } });
    const results = await Promise.all([byFlag, byVariable]);
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual([
      [2, ''],
      [2, ''],
    ]);
    for (const { stderr } of results) {
      expect(stderr).toMatch(/^colloquy: other machines can reach the API on host (0\.0\.0\.0|::)/);
      expect(stderr).toMatch(/anyone who can reach this machine could read and start conversations/);
      expect(stderr).toMatch(/--host 127\.0\.0\.1, or allow it with --open/);
    }
    expect(readdirSync(cwd)).toEqual([]);
    rmSync(cwd, { recursive: true });
  });

  it('states in its help what --open allows', async () => {
    const { stdout } = await colloquy(['dev', '--help']);
    expect(stdout).toMatch(/--open .*anyone who can reach this machine can then read and start conversations/);
  });

  it('reports all invalid environment variables in one message, with exit code 2', async () => {
    const env = { TEMPORAL_ADDRESS: 'nowhere', MONGODB_URI: 'here', COLLOQUY_PORT: '' };
    const { code, stderr } = await colloquy(['worker'], { env });
    expect(code).toBe(2);
    expect(stderr).toMatch(/2 faults/);
    expect(stderr).toMatch(/TEMPORAL_ADDRESS="nowhere"/);
    expect(stderr).toMatch(/MONGODB_URI=\(not shown\)/);
  });

  it('names the project that it cannot load', async () => {
    const { code, stderr } = await colloquy(['worker', '--config', '/nowhere/langgraph.json'], {
      env: {
        TEMPORAL_ADDRESS: process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? '',
        MONGODB_URI: process.env.COLLOQUY_TEST_MONGODB_URI ?? '',
        MONGODB_DATABASE: 'cli-test',
      },
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^colloquy: .*\/nowhere\/langgraph\.json/m);
  });

  it('prints its version', async () => {
    const { code, stdout } = await colloquy(['--version']);
    expect([code, stdout]).toEqual([0, '0.1.0\n']);
  });
});
