import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export interface ProjectParts {
  graphs: Record<string, string>;
  env: Record<string, string>;
  /** Files and folders to copy: where they go, where they come from. */
  copies: Record<string, string>;
  /** Files to write. */
  files?: Record<string, string>;
  /** Packages that are written here instead of taken from our `node_modules`. */
  packages?: Record<string, Record<string, string>>;
}

export interface ForeignProject {
  folder: string;
  /** Its `langgraph.json`. */
  config: string;
  remove(): void;
}

/** Makes a LangGraph.js project outside of this repository, with links to the packages that are installed here. */
export function makeProject({ graphs, env, copies, files = {}, packages = {} }: ProjectParts): ForeignProject {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-outside-'));
  for (const [to, from] of Object.entries(copies)) cpSync(resolve(from), join(folder, to), { recursive: true });
  const config = join(folder, 'langgraph.json');
  write(config, JSON.stringify({ node_version: '20', dependencies: ['.'], graphs, env }));
  write(join(folder, 'package.json'), JSON.stringify({ name: 'outside', private: true, type: 'module' }));
  for (const [file, text] of Object.entries(files)) write(join(folder, file), text);
  linkPackages(join(folder, 'node_modules'), Object.keys(packages));
  for (const [name, its] of Object.entries(packages)) {
    for (const [file, text] of Object.entries(its)) write(join(folder, 'node_modules', name, file), text);
  }
  return { folder, config, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A scope that gets a package of its own is linked package by package. */
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
