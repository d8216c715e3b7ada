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
  /** Others can reach it, and the project has no `auth` that asks them who they are. */
  isOpen: boolean;
}

/**
 * Decides this before anything is started. It reads `langgraph.json`, but loads no graph.
 * Errors: {@link UsageError} where the API would be open and `mayBeOpen` is false; those of
 * {@link readProjectFile}.
 */
export async function checkExposure(
  { api: { host }, projectPath }: { api: Pick<Config['api'], 'host'>; projectPath?: string },
  mayBeOpen: boolean,
): Promise<Exposure> {
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

/** Pages of this machine, and LangGraph Studio: any other page in a browser here could call the API too. */
const LOCAL_ORIGINS = 'loopback,https://smith.langchain.com';

/** Variables for the API process. What the environment says of them stays. */
export function exposureVariables({ host }: Exposure): Record<string, string> {
  const defaults = {
    // A page whose own name points at this machine (DNS rebinding) sends that name as `Host`.
    COLLOQUY_ALLOWED_HOSTS: expectedHosts(host, networkInterfaces(), hostname()).join(','),
    // As LangGraph's own development server does. Nothing proves that a caller is Studio, so only
    // for callers on this machine; a project forbids it by `disable_studio_auth`.
    ...(isLoopbackHost(host) && { COLLOQUY_STUDIO_AUTH: 'true', COLLOQUY_CORS_ORIGINS: LOCAL_ORIGINS }),
  };
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !isSet(name)));
}

function projectName(path: string | undefined): string {
  return path ?? 'the shipped assistant';
}
