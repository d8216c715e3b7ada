import type { RequestHandler } from 'express';

/** Headers of ours that browser code must be able to read: where a run is, and how far a search goes. */
const EXPOSED = 'Content-Location, Location, X-Pagination-Total, X-Pagination-Next, Retry-After';
const DAY_SECONDS = 86_400;

/** Lets browsers call from these origins, `*` for any; no cookies are used, so there is nothing to ride on. */
export function cors(origins: readonly string[]): RequestHandler {
  return (req, res, next) => {
    const allowed = allowedOrigin(origins, req.headers.origin);
    if (allowed) res.setHeader('Access-Control-Allow-Origin', allowed);
    if (allowed !== '*') res.vary('Origin');
    res.setHeader('Access-Control-Expose-Headers', EXPOSED);
    if (req.method !== 'OPTIONS') {
      next();
      return;
    }
    res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE');
    res.setHeader('Access-Control-Allow-Headers', req.headers['access-control-request-headers'] ?? '*');
    res.setHeader('Access-Control-Max-Age', DAY_SECONDS);
    res.status(204).end();
  };
}

function allowedOrigin(origins: readonly string[], origin: string | undefined): string | undefined {
  if (origins.includes('*')) return '*';
  return origin !== undefined && origins.includes(origin) ? origin : undefined;
}
