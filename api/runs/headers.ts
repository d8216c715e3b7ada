import type { IncomingHttpHeaders } from 'node:http';
import type { RunBody } from '../../protocol/schemas/index.js';

/**
 * Headers that hold credentials. Graphs do not get them, because headers that graphs get become
 * part of the run's configuration. Everybody who may read the run sees that configuration, and so
 * does the receiver of the run's webhook.
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
 * Copies request headers into the body's `config.configurable`, where graphs can read them, as
 * LangGraph's server does. Copies `user-agent`, and all `x-…` headers except those with
 * credentials. A header replaces a field of `configurable` with the same name.
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
