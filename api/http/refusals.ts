import type { RouteDescription } from './route.js';

/**
 * For each HTTP status of a refused request, the reason in general words. The API reference shows
 * these texts. The body of a response is plain text with the exact reason.
 */
export const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The body is not JSON, or the path has another spelling: escapes of letters, dot segments.',
  401: 'The credentials are missing or invalid.',
  403: 'The caller may not do this.',
  404: 'The record does not exist.',
  409: 'The state of the record does not allow this.',
  413: 'The body is larger than the limit.',
  422: 'Fields are wrong, unknown, or not served; all of them are named.',
  429: 'The queue of the thread is full.',
  503: 'A required server does not answer.',
};

/** Returns the HTTP statuses with which a request to this route can be refused. */
export function refusalsOf({ auth, path, body, query, headers, refusals = [] }: RouteDescription): number[] {
  if (auth === 'public') return [...refusals];
  const checked = body !== undefined || query !== undefined || headers !== undefined || path.includes(':');
  return [
    ...(body !== undefined || path.includes(':') ? [400] : []),
    ...(body === undefined ? [] : [413]),
    401,
    403,
    ...(path.includes(':') ? [404] : []),
    ...(checked ? [422] : []),
    503,
    ...refusals,
  ].sort((a, b) => a - b);
}
