import corsHeaders, { type CorsOptions } from 'cors';
import type { Request, RequestHandler } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import { isLoopback } from './request-guard.js';

/** Which web pages may call the API, and which headers and methods their scripts may use. */
export interface CorsRules {
  /**
   * `*` allows any origin. `loopback` allows pages of `localhost` and other loopback addresses, on
   * any port number.
   */
  origins?: readonly string[];
  /**
   * An origin is allowed if it matches this regular expression. If this is set, `origins` is
   * ignored.
   */
  originPattern?: string;
  methods?: readonly string[];
  headers?: readonly string[];
  exposed?: readonly string[];
  credentials?: boolean;
  /** How long a browser may cache the answer to a CORS preflight request, in seconds. */
  maxAge?: number;
}

/**
 * Headers of Colloquy's answers that scripts of web pages must be able to read: the path of a new
 * run, the pagination, and the time after which to retry.
 */
const EXPOSED = ['Content-Location', 'Location', 'X-Pagination-Total', 'X-Pagination-Next', 'Retry-After'];
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const DAY_SECONDS = 86_400;

/**
 * Answers preflight requests and sets CORS headers. The API itself reads no cookies. If the auth of
 * a project reads cookies, `credentials` lets pages of allowed origins read the answers to requests
 * with cookies.
 */
export function cors(rules: CorsRules): RequestHandler {
  const isAllowed = originTest(rules);
  const shared: CorsOptions = {
    methods: (rules.methods ?? METHODS).join(', '),
    exposedHeaders: [...new Set([...(rules.exposed ?? []), ...EXPOSED])].join(', '),
    maxAge: rules.maxAge ?? DAY_SECONDS,
    credentials: rules.credentials === true,
    // The library `cors` must not answer a preflight request itself. It would send `Content-Length`
    // with 204, which RFC 9110, section 8.6, forbids.
    preflightContinue: true,
    ...(rules.headers !== undefined && { allowedHeaders: rules.headers.join(', ') }),
  };
  const originOption = (origin: string | undefined): CorsOptions['origin'] => {
    // Browsers refuse `*` as the allowed origin of a request with credentials. So the answer names
    // the origin of the request.
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
      // A browser sends a simple request without a preflight, even if the page may not call the
      // API. The browser only hides the answer from the page. So without this check the server
      // would execute the request.
      const { origin, host } = req.headers;
      const isRefused = changes(req.method) && origin !== undefined && !mayCall(rules, origin, host);
      next(isRefused ? refusedOrigin(origin) : undefined);
    });
}

function changes(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

export function refusedOrigin(origin: string): ColloquyError {
  const hint = 'allow the origin in COLLOQUY_CORS_ORIGINS or in http.cors of the project';
  return new ColloquyError('forbidden', `pages of ${origin} may not call this server; ${hint}`);
}

/**
 * Returns true if scripts of pages with this origin may call the API. Pages that this server itself
 * serves may always call it. The server must check this itself, because browsers send simple
 * requests and open WebSockets without a preflight.
 */
export function mayCall(rules: CorsRules, origin: string, host: string | undefined): boolean {
  const isAllowed = originTest(rules);
  return isAllowed === undefined || isAllowed(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}

/** Returns a test for the allowed origins. Returns undefined if every origin is allowed. */
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
