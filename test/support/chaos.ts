import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { ChaosReport } from '../chaos/chaos.js';

/**
 * Runs the chaos program as a child process and returns its report. The stderr of the process goes
 * to the output of the tests.
 */
export function chaos(options: {
  seed: number;
  minutes: number;
  conversations: number;
  animals?: number;
}): Promise<ChaosReport> {
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [resolve('dist/test/chaos/main.js'), ...flags, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code) => {
      try {
        done(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ChaosReport);
      } catch (cause) {
        failed(new Error(`chaos ended with ${code} and no report`, { cause }));
      }
    });
  });
}
