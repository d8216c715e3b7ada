import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { pipeline } from 'node:stream/promises';

// Converts between Node.js and `fetch`. docs/decisions/2026-11-30-libraries.md says why the package
// @hono/node-server is not used for this.

/** A body in the form that `fetch` takes in requests and responses. */
export type WebBody = ReadableStream<Uint8Array> | Uint8Array | ArrayBuffer | string | null;

/** Headers that are about one connection. They must not be forwarded to the next connection. */
const HOP_HEADERS = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade'];

/**
 * Converts a request of Node.js to a `Request` of `fetch`. `body` replaces the request's own body,
 * which may have been read already.
 */
export function toWebRequest(req: IncomingMessage, body?: Uint8Array, signal?: AbortSignal): Request {
  const method = req.method ?? 'GET';
  // `new URL(path, base)` is not used, because it would read the path `//a/b` as the host `a` with
  // the path `/b`.
  const url = new URL(`http://${req.headers.host ?? 'localhost'}${req.url ?? '/'}`);
  const headers = new Headers();
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    const [name = '', value = ''] = req.rawHeaders.slice(index, index + 2);
    if (!HOP_HEADERS.includes(name.toLowerCase())) headers.append(name, value);
  }
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(url, {
    method,
    headers,
    ...(signal && { signal }),
    ...(hasBody && { body: body ?? Readable.toWeb(req), duplex: 'half' }),
  });
}

/** Returns a signal that is aborted if the client disconnects before the answer is complete. */
export function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  return gone.signal;
}

/**
 * Sends a `Response` of `fetch` to the client. If its body fails, the connection is destroyed, so
 * that the client knows that the answer is incomplete.
 */
export async function sendWebResponse(res: ServerResponse, response: Response): Promise<void> {
  res.statusCode = response.status;
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie' && !HOP_HEADERS.includes(name)) res.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader('set-cookie', cookies);
  if (response.body === null || response.status === 204 || response.status === 304) {
    res.end();
    return;
  }
  res.flushHeaders();
  // The pipeline fails if the response's body fails, or if the client has disconnected.
  await pipeline(Readable.fromWeb(response.body), res).catch(() => res.destroy());
}
