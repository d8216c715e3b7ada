import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { freePort } from '../../servers/ports.js';

/** Starts LangGraph's own development server on a copy of a project. */
export async function startReference(project: string): Promise<{ url: string; stop(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'reference-'));
  cpSync(project, folder, { recursive: true });
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  const port = await freePort();
  const cli = join(dirname(createRequire(import.meta.url).resolve('@langchain/langgraph-cli/package.json')), 'dist');
  const flags = [
    'dev',
    '--no-browser',
    '--no-reload',
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--config',
    folder,
  ];
  const env = {
    ...process.env,
    BROWSER: 'none',
    LANGGRAPH_CLI_NO_ANALYTICS: '1',
    LANGSMITH_TRACING: 'false',
    NODE_OPTIONS: '',
  };
  const child = spawn(process.execPath, [join(cli, 'cli', 'cli.mjs'), ...flags], {
    env,
    cwd: folder,
    stdio: 'ignore',
    detached: true,
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = () => {
    // The command starts the server as a child process. So the signal goes to the whole process
    // group.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  while (!(await isUp(url))) {
    if (child.exitCode !== null) throw new Error(`the reference server ended with ${child.exitCode}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  return { url, stop };
}

function isUp(url: string): Promise<boolean> {
  return fetch(`${url}/ok`).then(
    (answer) => answer.ok,
    () => false,
  );
}
