import type { IncomingHttpHeaders } from 'node:http';
import type { RunBody } from '../../protocol/schemas/index.js';

/**
 * Headers that hold credentials, which graphs do not get. Graphs do not need them. They would be
 * part of the run's configuration. Everybody who may read the run sees that configuration, and so
 * does the receiver of its webhook.
 */
const SECRETS = ['x-api-key', 'x-tenant-id', 'x-service-key'];

/**
 * Words by which other headers with credentials are recognised, such as `x-auth-token` and
 * `x-amz-security-token`.
 */
const SECRET_WORDS = [
  ...['token', 'secret', 'password', 'credential', 'credentials'],
  ...['authorization', 'auth', 'apikey'],
];
const HAS_SECRET_WORD = new RegExp(`-(?:${SECRET_WORDS.join('|')})(?=-|$)`);

/**
 * Adds the headers that graphs may read to `config.configurable`, as LangGraph's server does: all
 * `x-…` headers except credentials, and `user-agent`. A header replaces a field of the body's
 * `configurable` with the same name.
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
  if (name === 'user-agent') return true;
  return name.startsWith('x-') && !SECRETS.includes(name) && !HAS_SECRET_WORD.test(name) && !name.endsWith('-key');
}
