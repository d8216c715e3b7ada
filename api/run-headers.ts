import type { IncomingHttpHeaders } from 'node:http';
import type { RunBody } from '../protocol/schemas/index.js';

/** Credentials; graphs have no use for them, and what a run is configured with is kept. */
const SECRETS = ['x-api-key', 'x-tenant-id', 'x-service-key'];

/**
 * The run's body with what graphs find of its request in `config.configurable`, as on LangGraph's server: every header `x-…` but
 * credentials, and `user-agent`. A header wins over the body.
 */
export function withHeaders(body: RunBody, headers: IncomingHttpHeaders): RunBody {
  const shown = Object.entries(headers).filter(([name]) => isShown(name));
  if (shown.length === 0) return body;
  return {
    ...body,
    config: { ...body.config, configurable: { ...body.config?.configurable, ...Object.fromEntries(shown) } },
  };
}

function isShown(name: string): boolean {
  return name === 'user-agent' || (name.startsWith('x-') && !SECRETS.includes(name));
}
