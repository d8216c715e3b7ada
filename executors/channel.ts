import { deserialize, serialize } from 'node:v8';
import type { Duplex } from 'node:stream';

const LENGTH_BYTES = 4;

/**
 * Sends and receives messages over a byte stream between two processes on one machine. A message is
 * any value of the structured clone algorithm. On the wire it is its length, 4 bytes big-endian, and
 * its bytes as `node:v8` writes them. So it keeps dates, maps and undefined, and does not depend on
 * `JSON`, which user code may have changed.
 */
export class Channel<Sent, Received> {
  readonly #stream: Duplex;
  readonly #receive: (message: Received) => void;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Number of bytes from which on something can be read. */
  #wanted = LENGTH_BYTES;

  /** `closed` is called once, when no message can be sent or received any more. */
  constructor(stream: Duplex, receive: (message: Received) => void, closed: () => void) {
    this.#stream = stream;
    this.#receive = receive;
    let isClosed = false;
    const close = () => {
      if (isClosed) return;
      isClosed = true;
      closed();
    };
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('error', close);
    stream.on('end', close);
    stream.on('close', close);
  }

  /** Sends a message. Does nothing if the channel is closed. */
  send(message: Sent): void {
    if (!this.#stream.writable) return;
    const body = serialize(message);
    const frame = Buffer.allocUnsafe(LENGTH_BYTES);
    frame.writeUInt32BE(body.length);
    this.#stream.cork();
    this.#stream.write(frame);
    this.#stream.write(body);
    this.#stream.uncork();
  }

  #read(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const all = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
      this.#parts = [all];
      // Until the whole message is here, its parts are not joined again.
      const end = LENGTH_BYTES + all.readUInt32BE(0);
      this.#wanted = end;
      if (all.length < end) return;
      this.#parts = [all.subarray(end)];
      this.#bytes = all.length - end;
      this.#wanted = LENGTH_BYTES;
      this.#receive(deserialize(all.subarray(LENGTH_BYTES, end)) as Received);
    }
  }
}
