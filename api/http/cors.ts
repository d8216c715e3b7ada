import type { RequestHandler } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import { isLoopback } from './request-guard.js';

/** Who may call from a browser, and what its code may send and read. */
export interface CorsRules {
  /** `*`: any; `loopback`: any page of this machine, whatever its port. */
  origins?: readonly string[];
  /** Regular expression; in place of `origins`. */
  originPattern?: string;
  methods?: readonly string[];
  headers?: readonly string[];
  exposed?: readonly string[];
  credentials?: boolean;
  /** How long a browser may remember the answer, in seconds. */
  maxAge?: number;
}

/** Headers of ours that browser code must be able to read: where a run is, and how far a search goes. */
const EXPOSED = ['Content-Location', 'Location', 'X-Pagination-Total', 'X-Pagination-Next', 'Retry-After'];
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const DAY_SECONDS = 86_400;

/** Lets browsers call by these rules; no cookies are used, so that without `credentials` there is nothing to ride on. */
export function cors(rules: CorsRules): RequestHandler {
  const isAllowed = originTest(rules);
  const exposed = [...new Set([...(rules.exposed ?? []), ...EXPOSED])].join(', ');
  // With credentials a browser takes no asterisk, so the origin is named.
  const anyOrigin = isAllowed === undefined && rules.credentials !== true;
  return (req, res, next) => {
    const { origin } = req.headers;
    const allowed = anyOrigin ? '*' : origin !== undefined && (isAllowed?.(origin) ?? true) ? origin : undefined;
    if (allowed !== undefined) res.setHeader('Access-Control-Allow-Origin', allowed);
    if (!anyOrigin) res.vary('Origin');
    if (rules.credentials === true) res.setHeader('Access-Control-Allow-Credentials', 'true');
    res.setHeader('Access-Control-Expose-Headers', exposed);
    if (req.method !== 'OPTIONS') {
      // The browser would hide the answer from the page, but a simple request would have been executed by then.
      const isRefused = changes(req.method) && origin !== undefined && !mayCall(rules, origin, req.headers.host);
      next(isRefused ? refusedOrigin(origin) : undefined);
      return;
    }
    res.setHeader('Access-Control-Allow-Methods', (rules.methods ?? METHODS).join(', '));
    res.setHeader(
      'Access-Control-Allow-Headers',
      rules.headers?.join(', ') ?? req.headers['access-control-request-headers'] ?? '*',
    );
    res.setHeader('Access-Control-Max-Age', rules.maxAge ?? DAY_SECONDS);
    res.status(204).end();
  };
}

function changes(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

export function refusedOrigin(origin: string): ColloquyError {
  const how = 'COLLOQUY_CORS_ORIGINS, or http.cors of the project, names those that may';
  return new ColloquyError('forbidden', `pages of ${origin} may not call this server; ${how}`);
}

/**
 * Whether scripts of a page of this origin may call the API. Pages that this server serves always may. The server checks it
 * itself because browsers send simple requests and open WebSockets without a preflight.
 */
export function mayCall(rules: CorsRules, origin: string, host: string | undefined): boolean {
  const isAllowed = originTest(rules);
  return isAllowed === undefined || isAllowed(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}

/** `undefined`: any origin. */
function originTest({ origins = ['*'], originPattern }: CorsRules): ((origin: string) => boolean) | undefined {
  if (originPattern !== undefined) {
    const pattern = new RegExp(originPattern);
    return (origin) => pattern.test(origin);
  }
  if (origins.includes('*')) return undefined;
  const ofThisMachine = origins.includes('loopback');
  return (origin) => origins.includes(origin) || (ofThisMachine && isLoopbackPage(origin));
}

function isLoopbackPage(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname);
}
