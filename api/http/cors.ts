import corsHeaders, { type CorsOptions } from 'cors';
import type { Request, RequestHandler } from 'express';
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

/** Lets browsers call by these rules. No cookies are used, so a page without `credentials` cannot act for a user. */
export function cors(rules: CorsRules): RequestHandler {
  const isAllowed = originTest(rules);
  const shared: CorsOptions = {
    methods: (rules.methods ?? METHODS).join(', '),
    exposedHeaders: [...new Set([...(rules.exposed ?? []), ...EXPOSED])].join(', '),
    maxAge: rules.maxAge ?? DAY_SECONDS,
    credentials: rules.credentials === true,
    // The library would send a Content-Length with 204, which RFC 9110, section 8.6, forbids.
    preflightContinue: true,
    ...(rules.headers !== undefined && { allowedHeaders: rules.headers.join(', ') }),
  };
  const originOption = (origin: string | undefined): CorsOptions['origin'] => {
    // With credentials a browser takes no asterisk, so the origin is named.
    if (isAllowed === undefined) return rules.credentials === true ? true : '*';
    return origin !== undefined && isAllowed(origin) ? [origin] : [];
  };
  const setHeaders = corsHeaders<Request>((req, done) =>
    done(null, { ...shared, origin: originOption(req.headers.origin) }),
  );
  return (req, res, next) =>
    setHeaders(req, res, (error?: unknown) => {
      if (error !== undefined) return next(error);
      if (req.method === 'OPTIONS') return void res.status(204).end();
      // The browser would hide the answer from the page, but a simple request would have been executed by then.
      const { origin, host } = req.headers;
      const isRefused = changes(req.method) && origin !== undefined && !mayCall(rules, origin, host);
      next(isRefused ? refusedOrigin(origin) : undefined);
    });
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
