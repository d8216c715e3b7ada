import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { ProjectFile } from './project-file.js';

/**
 * Gives the project's `env` to this process, as LangGraph's own server does: the project's modules read `process.env` when they are
 * imported, so there is no other way to hand it to them. Besides `config/` this is the one place that touches it. What the process
 * was started with wins over the file.
 */
export async function applyProjectEnvironment(project: ProjectFile): Promise<string[]> {
  const { values, warnings } = await readValues(project);
  for (const [name, value] of Object.entries(values)) {
    if (process.env[name] === undefined) process.env[name] = value;
  }
  return warnings;
}

async function readValues(project: ProjectFile): Promise<{ values: NodeJS.Dict<string>; warnings: string[] }> {
  if (typeof project.env !== 'string') return { values: project.env, warnings: [] };
  const file = resolve(project.folder, project.env);
  try {
    return { values: parseEnv(await readFile(file, 'utf8')), warnings: [] };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { values: {}, warnings: [`langgraph.json: env file ${file} does not exist; going on without it`] };
  }
}
