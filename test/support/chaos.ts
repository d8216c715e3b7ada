import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { ChaosReport } from '../chaos/chaos.js';

/** Runs the chaos program as a person does, with what it says where tests say things; answers its report. */
export function chaos(options: { seed: number; minutes: number; conversations: number }): Promise<ChaosReport> {
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [resolve('dist/test/chaos/main.js'), ...flags, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code) => {
      try {
        done(JSON.parse(said.trim().split('\n').at(-1) ?? '') as ChaosReport);
      } catch (cause) {
        failed(new Error(`chaos ended with ${code} and no report`, { cause }));
      }
    });
  });
}
