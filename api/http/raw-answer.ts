import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

export interface Refusal {
  status: number;
  message: string;
}

/**
 * Time between the refusal of an upgrade to a WebSocket and the end of the connection, in ms. If
 * the client has not closed its side by then, the socket is destroyed.
 */
const CLOSE_GRACE_MS = 1_000;

/**
 * Answers a refused upgrade directly on its socket, because there is no response object. Then
 * closes the socket.
 */
export function refuseUpgrade(socket: Duplex, { status, message }: Refusal): void {
  const body = Buffer.from(message);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
  const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
