import type { RouteDescription } from './route.js';

/** Why a request is refused, by status. Bodies are plain text that names the field or thing and its value. */
export const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The body is not JSON, or the path has another spelling: escapes of letters, dot segments.',
  401: 'Nobody knows who calls.',
  403: 'The caller may not do this.',
  404: 'There is no such thing.',
  409: 'Its state does not allow this.',
  413: 'The body is larger than the limit.',
  422: 'Fields are wrong, unknown, or not served; all of them are named.',
  429: 'The queue of the thread is full.',
  503: 'A server that is needed does not answer.',
};

/** Statuses of the errors that a request of this kind can meet. */
export function refusalsOf({ path, body, query, headers, refusals = [] }: RouteDescription): number[] {
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
