import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { text } from 'node:stream/consumers';

/**
 * A program that calls `serve` with a service that does nothing. The first message from the parent
 * process makes the service fail.
 */
const PROGRAM = `
  import { serve } from ${JSON.stringify(pathToFileURL(resolve('dist/cli/serve.js')).href)};
  let fail;
  const failed = new Promise((_resolve, reject) => (fail = reject));
  process.once('message', () => fail(new Error('the listening socket has failed')));
  const stop = async () => console.log('stopped');
  process.exitCode = await serve(async () => ({ details: { port: 1 }, stop, failed })).catch((error) => {
    console.error(error.message);
    return 1;
  });
`;

/**
 * Starts {@link PROGRAM} as a child process and waits until it is ready. `ended` waits until the
 * process exits, and returns its exit code and output.
 */
async function startServing() {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  if (child.stdout === null || child.stderr === null) throw new Error('the process has no output');
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const exit = once(child, 'exit');
  expect(await once(child, 'message')).toMatchObject([{ ready: { port: 1 } }, undefined]);
  const ended = async () => {
    const [code] = (await exit) as [number | null];
    const [stdout, stderr] = await output;
    return { code, stdout, stderr };
  };
  return { child, ended };
}

describe('a process that runs a service with serve()', () => {
  it('stops the service and exits with code 1 when the service fails', async () => {
    const { child, ended } = await startServing();
    child.send('fail');
    expect(await ended()).toEqual({ code: 1, stdout: 'stopped\n', stderr: 'the listening socket has failed\n' });
  });

  it('stops the service and exits with code 0 on SIGTERM', async () => {
    const { child, ended } = await startServing();
    child.kill('SIGTERM');
    expect(await ended()).toEqual({ code: 0, stdout: 'stopped\n', stderr: '' });
  });

  it('stops the service and exits with code 0 when the parent process ends', async () => {
    const { child, ended } = await startServing();
    child.disconnect();
    expect(await ended()).toEqual({ code: 0, stdout: 'stopped\n', stderr: '' });
  });
});
