import { connect, type Socket } from 'node:net';

/** What a server sent before the connection ended, as Latin-1, and whether the server ended it. */
export interface RawExchange {
  text: string;
  /** Status codes of the answers in it, in order. */
  statuses: number[];
}

export interface ExchangeOptions {
  /** Sent when the first answer has begun, as after an upgrade. */
  afterFirstAnswer?: Buffer;
  /** Cut the connection off with a reset, right after everything was sent. */
  reset?: boolean;
  /** Bound on a server that keeps the connection open. */
  closeAfterMs?: number;
}

/** Sends bytes over a connection of their own and collects what comes back, until the connection ends. */
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

/** An upgrade request to a WebSocket. */
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
