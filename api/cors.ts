import type { RequestHandler } from 'express';

/** Who may call from a browser, and what its code may send and read. */
export interface CorsRules {
  /** `*`: any. */
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
      next();
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

/** Whether code of a page of this origin may call. Browsers ask before they send; a WebSocket they open without asking. */
export function allowsOrigin(rules: CorsRules, origin: string): boolean {
  return originTest(rules)?.(origin) ?? true;
}

/** `undefined`: any origin. */
function originTest({ origins = ['*'], originPattern }: CorsRules): ((origin: string) => boolean) | undefined {
  if (originPattern !== undefined) {
    const pattern = new RegExp(originPattern);
    return (origin) => pattern.test(origin);
  }
  return origins.includes('*') ? undefined : (origin) => origins.includes(origin);
}
