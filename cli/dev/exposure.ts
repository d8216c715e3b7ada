import { hostname, networkInterfaces } from 'node:os';
import { SHIPPED_PROJECT } from '../../agents/graph-module.js';
import { readProjectFile } from '../../agents/project-file.js';
import { isSet } from '../../config/index.js';
import type { Config } from '../../config/index.js';
import { UsageError } from '../flags.js';
import { expectedHosts, isLoopbackHost } from './hosts.js';

/** Who can reach the API that `colloquy dev` starts. */
export interface Exposure {
  /** The host that the API listens on. */
  host: string;
  /** True if other machines can reach the API although the project has no `auth`. */
  isOpen: boolean;
}

/**
 * Checks who could reach an API on the configured host, before any server is started. Reads
 * `langgraph.json`, but loads no graph. Errors: {@link UsageError} if the API would be open and
 * `mayBeOpen` is false; also the errors of {@link readProjectFile}.
 */
export async function checkExposure(
  { api: { host }, projectPath }: { api: Pick<Config['api'], 'host'>; projectPath?: string },
  mayBeOpen: boolean,
): Promise<Exposure> {
  // An empty environment variable means the default host, so a user may expect the same of an empty
  // `--host`. But Node listens on all addresses if the host is empty. So an empty `--host` is
  // refused.
  if (host === '') throw new UsageError('--host is empty; name an address, such as 127.0.0.1');
  if (isLoopbackHost(host)) return { host, isOpen: false };
  const { settings } = await readProjectFile(projectPath ?? SHIPPED_PROJECT);
  if (settings.auth !== undefined) return { host, isOpen: false };
  if (mayBeOpen) return { host, isOpen: true };
  throw new UsageError(
    [
      `other machines can reach the API on host ${host}, and ${projectName(projectPath)} has no auth:`,
      '  anyone who can reach this machine could read and start conversations.',
      '  Add auth to langgraph.json, or use --host 127.0.0.1, or allow it with --open.',
    ].join('\n'),
  );
}

/** Origins of the web pages that may call the API: pages of this machine, and LangGraph Studio. */
const LOCAL_ORIGINS = 'loopback,https://smith.langchain.com';

/**
 * Returns environment variables for the API process. They say which hosts, web pages and callers it
 * accepts. Leaves out variables that have a value already.
 */
export function exposureVariables({ host }: Exposure): Record<string, string> {
  const defaults = {
    // Prevents DNS rebinding: a page of another site can make its own name resolve to this machine.
    // Its requests have that name in the header `Host`, so they are refused.
    COLLOQUY_ALLOWED_HOSTS: expectedHosts(host, networkInterfaces(), hostname()).join(','),
    // LangGraph's own development server accepts Studio too. Nothing proves that a caller is
    // Studio, so it is accepted on loopback only. A project forbids it with `disable_studio_auth`.
    ...(isLoopbackHost(host) && { COLLOQUY_STUDIO_AUTH: 'true', COLLOQUY_CORS_ORIGINS: LOCAL_ORIGINS }),
  };
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !isSet(name)));
}

function projectName(path: string | undefined): string {
  return path ?? 'the shipped assistant';
}
