import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** The answer to a request that is refused before a route or code of a project sees it. */
interface RequestFault {
  status: 400 | 403 | 405;
  message: string;
}

/**
 * Methods that are always refused. A project's app may get each request as a `Request` object of
 * `fetch`, which cannot have these methods. So the app could not check such a request.
 */
const REFUSED_METHODS: readonly unknown[] = ['TRACE', 'TRACK', 'CONNECT'];
/**
 * A valid `Host` header (RFC 9110, section 7.2): a name or an address, and an optional port number.
 */
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:\d{1,5})?$/;
const LOOPBACK_NAME = /^(.+\.)?localhost\.?$/;

/**
 * Checks the method, the target and the host of a request. Returns undefined if the request is
 * valid. Reduces a target in absolute form (`GET http://host/path`, as proxies send it) to its
 * path. `allowedHosts` are the hosts that are accepted in addition to loopback hosts. If
 * `allowedHosts` is undefined, every host is accepted.
 */
export function requestFault(
  request: IncomingMessage,
  allowedHosts: readonly string[] | undefined,
): RequestFault | undefined {
  if (REFUSED_METHODS.includes(request.method)) {
    return { status: 405, message: `Method Not Allowed: ${request.method} is not served here` };
  }
  rewriteAbsoluteTarget(request);
  return targetFault(request) ?? spellingFault(request) ?? hostFault(request, allowedHosts);
}

function rewriteAbsoluteTarget(request: IncomingMessage): void {
  const target = /^https?:\/\/([^/?#]*)(.*)$/i.exec(request.url ?? '');
  if (target === null) return;
  const [, host = '', path = ''] = target;
  request.headers.host = host;
  request.url = path.startsWith('/') ? path : `/${path}`;
}

function targetFault({ url = '', method }: IncomingMessage): RequestFault | undefined {
  const isPath = url.startsWith('/') && !url.startsWith('//') && URL.canParse(`http://localhost${url}`);
  if (isPath || (url === '*' && method === 'OPTIONS')) return undefined;
  return { status: 400, message: `the request target is ${shown(url)}; expected a path that begins with one slash` };
}

/**
 * Parts of a path that two parsers can read differently. Example: `URL` resolves dot segments and
 * turns backslashes into slashes. Express does neither, but it decodes escapes in ids. Paths with
 * such parts are refused, because a check in front of a route, such as in a project's app, could
 * see another path than the route. The HTTP parser of Node.js accepts only printable ASCII, so
 * other characters need no check here.
 */
const AMBIGUOUS_PARTS: readonly (readonly [RegExp, string])[] = [
  [/\\/, 'a backslash'],
  [/#/, 'a fragment'],
  [/\/(?:\.|%2e){1,2}(?=\/|$)/i, 'a dot segment'],
  // Letters, digits, `-`, `.`, `_` and `~` need no escape (RFC 3986, section 2.3). A path in which
  // one of these characters is escaped is refused.
  [/%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i, 'an escaped letter, digit or one of -._~'],
];

function spellingFault({ url = '' }: IncomingMessage): RequestFault | undefined {
  const [path = ''] = url.split('?', 1);
  const part = AMBIGUOUS_PARTS.find(([pattern]) => pattern.test(path))?.[1];
  if (part === undefined) return undefined;
  return { status: 400, message: `the request target is ${shown(url)}; its path has ${part}` };
}

function hostFault(
  { headers, rawHeaders }: IncomingMessage,
  allowedHosts: readonly string[] | undefined,
): RequestFault | undefined {
  const { host } = headers;
  const sent = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  // HTTP/1.0 needs no Host header. Node.js refuses requests of HTTP/1.1 without one.
  if (sent === 0 && host === undefined) return undefined;
  if (sent > 1) return { status: 400, message: `the request has ${sent} Host headers; expected one` };
  const name = HOST.exec(host ?? '')?.[1];
  if (name === undefined || !URL.canParse(`http://${host}`)) {
    return { status: 400, message: `Host is ${shown(host ?? '')}; expected a name or an address, and a port or none` };
  }
  if (allowedHosts === undefined || isLoopback(name) || allowedHosts.includes(bare(name))) return undefined;
  const hint = 'add it to COLLOQUY_ALLOWED_HOSTS';
  return { status: 403, message: `Host ${shown(name)} is not answered here; ${hint}` };
}

/** Returns true if a name or address of a `Host` header always means this machine. */
export function isLoopback(name: string): boolean {
  const address = bare(name);
  return LOOPBACK_NAME.test(address) || (isIP(address) === 4 && address.startsWith('127.')) || address === '::1';
}

function bare(name: string): string {
  return name.toLowerCase().replace(/^\[|\]$/g, '');
}

const SHOWN = 80;

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}
