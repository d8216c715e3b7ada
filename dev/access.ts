import { SHIPPED_PROJECT } from '../agents/graph-module.js';
import { readProjectFile } from '../agents/project-file.js';
import type { Config } from '../config/index.js';
import { UsageError } from './flags.js';
import { isLoopbackHost } from './hosts.js';

/** Who can reach the API that `colloquy dev` starts. */
export interface Access {
  /** The host that the API listens on. */
  host: string;
  /** Others can reach it, and the project has no `auth` that asks them who they are. */
  isOpen: boolean;
}

/**
 * Decides this before anything is started. It reads `langgraph.json`, but loads no graph.
 * Errors: {@link UsageError} where the API would be open and `mayBeOpen` is false; those of
 * {@link readProjectFile}.
 */
export async function checkAccess(
  { api: { host }, projectPath }: { api: Pick<Config['api'], 'host'>; projectPath?: string },
  mayBeOpen: boolean,
): Promise<Access> {
  // Node takes an empty host for all addresses, and the environment takes it for not set.
  if (host === '') throw new UsageError('--host is empty; name an address, such as 127.0.0.1');
  if (isLoopbackHost(host)) return { host, isOpen: false };
  const { settings } = await readProjectFile(projectPath ?? SHIPPED_PROJECT);
  if (settings.auth !== undefined) return { host, isOpen: false };
  if (mayBeOpen) return { host, isOpen: true };
  throw new UsageError(
    [
      `the host ${host} lets other machines reach the API, and ${projectName(projectPath)} has no auth:`,
      '  the API asks nobody who they are, so whoever reaches this machine reads and starts conversations.',
      '  Set an auth in langgraph.json, or use --host 127.0.0.1; --open starts it all the same.',
    ].join('\n'),
  );
}

function projectName(path: string | undefined): string {
  return path ?? 'the shipped assistant';
}
