import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { ProjectFile } from './project-file.js';

export interface AppliedEnvironment {
  /**
   * Variables of the project's `env` that were set in this process. Variables that the process had
   * already are not among them.
   */
  environment: NodeJS.Dict<string>;
  warnings: string[];
}

/**
 * Sets the variables of the project's `env` in this process, as LangGraph's own server does. Call
 * this before the modules of the project are imported, because modules may read `process.env` while
 * they are imported. A variable that exists already keeps its value. Apart from projects, tests and
 * benchmarks, only this function and `config/` use `process.env`.
 */
export async function applyProjectEnvironment(project: ProjectFile): Promise<AppliedEnvironment> {
  const { values, warnings } = await readValues(project);
  const applied = Object.entries(values).filter(([name]) => process.env[name] === undefined);
  Object.assign(process.env, Object.fromEntries(applied));
  return { environment: Object.fromEntries(applied), warnings };
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
