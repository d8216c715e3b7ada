import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export interface ProjectParts {
  /** The graphs for a new `langgraph.json`. Absent if `copies` contains a `langgraph.json`. */
  graphs?: Record<string, string>;
  /** Variables for the file `.env`. */
  env: Record<string, string>;
  /** Files and folders to copy. Key: path in the new project. Value: path of the original. */
  copies?: Record<string, string>;
  /**
   * Packages and their exact versions, which npm installs from the registry. If absent, the project
   * gets links to the packages that are installed in this repository.
   */
  install?: Record<string, string>;
  /**
   * Packages whose files are given here. Key: name of the package. Value: text of each file by
   * path.
   */
  packages?: Record<string, Record<string, string>>;
}

export interface ForeignProject {
  folder: string;
  /** Path of the `langgraph.json` of the project. */
  config: string;
  remove(): void;
}

/** Creates a LangGraph.js project outside of this repository. */
export function makeProject({ graphs, env, copies = {}, install, packages = {} }: ProjectParts): ForeignProject {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-outside-'));
  for (const [to, from] of Object.entries(copies)) cpSync(resolve(from), join(folder, to), { recursive: true });
  const config = join(folder, 'langgraph.json');
  if (graphs) write(config, JSON.stringify({ node_version: '20', dependencies: ['.'], graphs, env: '.env' }));
  const values = Object.entries(env).map(([name, value]) => `${name}="${value}"\n`);
  write(join(folder, '.env'), values.join(''));
  const manifest = { name: 'outside', private: true, type: 'module', dependencies: install };
  write(join(folder, 'package.json'), JSON.stringify(manifest));
  if (install) installPackages(folder);
  else linkPackages(join(folder, 'node_modules'), Object.keys(packages));
  for (const [name, its] of Object.entries(packages)) {
    for (const [file, text] of Object.entries(its)) write(join(folder, 'node_modules', name, file), text);
  }
  // `in-process-main.ts` imports `langgraph.js` from the folder of the project. So it gets the copy
  // of LangGraph that the project uses.
  write(join(folder, 'langgraph.js'), "export { Command, MemorySaver } from '@langchain/langgraph';\n");
  return { folder, config, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function installPackages(folder: string): void {
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', '--silent'];
  execFileSync('npm', ['install', ...flags], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * Links the packages of this repository into the folder `to`, except the packages in `own`. If
 * `own` contains a package of a scope, such as `@langchain/core`, the folder of the scope cannot be
 * a link. Then it becomes a real folder, with a link for each other package of the scope.
 */
function linkPackages(to: string, own: string[]): void {
  const from = resolve('node_modules');
  const scopes = new Set(own.filter((name) => name.startsWith('@')).map((name) => name.split('/')[0]));
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (scopes.has(name)) {
      mkdirSync(join(to, name));
      for (const one of readdirSync(join(from, name))) link(join(name, one));
    } else if (!name.startsWith('.')) link(name);
  }
  function link(name: string): void {
    if (!own.includes(name)) symlinkSync(join(from, name), join(to, name), 'dir');
  }
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
