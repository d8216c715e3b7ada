import { connect, type Socket } from 'node:net';

/** The answer of a server until the connection ended. `text` contains the bytes as Latin-1. */
export interface RawExchange {
  text: string;
  /** Status codes of the HTTP answers in `text`, in order. */
  statuses: number[];
}

export interface ExchangeOptions {
  /**
   * Bytes that are sent when the first part of the answer has arrived, for example after an upgrade
   * to WebSocket.
   */
  afterFirstAnswer?: Buffer;
  /** Whether the client resets the connection right after it has sent everything. */
  reset?: boolean;
  /** Time after which the client closes a connection that is still open, in ms. Default: 5,000. */
  closeAfterMs?: number;
}

/** Sends bytes over a new connection and collects the answer until the connection ends. */
export function exchange(url: string, bytes: Buffer | string, options: ExchangeOptions = {}): Promise<RawExchange> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: hostname, port: Number(port) });
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(), options.closeAfterMs ?? 5_000);
    let begun = false;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (begun) return;
      begun = true;
      if (options.afterFirstAnswer !== undefined && socket.writable) socket.write(options.afterFirstAnswer);
      if (options.afterFirstAnswer !== undefined && options.reset) socket.resetAndDestroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      const text = Buffer.concat(chunks).toString('latin1');
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ text, statuses });
    });
    socket.write(bytes, () => {
      if (options.reset && options.afterFirstAnswer === undefined) socket.resetAndDestroy();
    });
  });
}

/** Returns the text of an HTTP request for an upgrade to WebSocket. */
export function upgradeOf(path: string, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}
