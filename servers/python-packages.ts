import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ColloquyError } from '../protocol/index.js';
import { isExecutable } from './binaries.js';
import { withLock } from './file-lock.js';
import { makeOwnFolder, writePrivateFile } from './private-files.js';
import type { OnProgress } from './progress.js';

/** A package of PyPI with a pinned version. */
export interface PythonPackage {
  name: string;
  version: string;
}

/**
 * Installs a Python package into the virtual environment of the tools folder. Returns the
 * environment's `bin` folder, which contains the command of the package.
 */
export function installTool(toolsDir: string, tool: PythonPackage, onProgress: OnProgress): Promise<string> {
  return installPackage(join(toolsDir, 'venv'), tool, onProgress);
}

/**
 * Installs a package into a virtual environment, and creates the environment if it is missing.
 * Returns the environment's `bin` folder. Errors: `unavailable`, with the end of pip's output.
 */
export async function installPackage(
  venv: string,
  { name, version }: PythonPackage,
  onProgress: OnProgress,
): Promise<string> {
  const bin = join(venv, 'bin');
  const stamp = join(venv, `.${name}-${version}`);
  if (existsSync(stamp)) return bin;
  return withLock(`${venv}.lock`, async () => {
    if (existsSync(stamp)) return bin;
    onProgress(`installing ${name} ${version} into ${venv}`);
    const log = join(dirname(venv), 'logs', 'install.log');
    if (!isExecutable(join(bin, 'pip'))) await runLogged('python3', ['-m', 'venv', '--clear', venv], log);
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', `${name}==${version}`];
    await runLogged(join(bin, 'python'), pip, log);
    writeFileSync(stamp, '');
    return bin;
  });
}

async function runLogged(command: string, args: string[], logFile: string): Promise<void> {
  const output: Buffer[] = [];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const fault = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? '' : `exit code ${code}`));
  });
  const text = Buffer.concat(output).toString('utf8');
  makeOwnFolder(dirname(logFile));
  writePrivateFile(logFile, `$ ${[command, ...args].join(' ')}\n${text}\n`, 'a');
  if (fault === '') return;
  const tail = text.trimEnd().split('\n').slice(-5).join('\n  ');
  throw new ColloquyError('unavailable', `${[command, ...args].join(' ')} failed (${fault}):\n  ${tail}`);
}
