import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { LOOPBACK } from '../servers/ports.js';
import type { BenchHouse } from './house.js';

export interface DatabaseUse {
  /**
   * Number of commands sent to the database. Each command is one round trip. Commands of the kinds
   * in `UNCOUNTED`, such as those that only wait for changes, are left out.
   */
  commands: number;
  /** Bytes of the commands that write data. */
  writtenBytes: number;
  /** Bytes of all answers of the database, also to the commands that `commands` leaves out. */
  readBytes: number;
}

export interface DatabaseWire {
  /** Address of the proxy in front of the database. Only traffic through it is counted. */
  uri: string;
  /** Returns the counts since the previous call of `take`. */
  take(): DatabaseUse;
}

const HEADER_BYTES = 16;
const OP_MSG = 2013;
/**
 * Offset in bytes of the command's name in a message of MongoDB's wire protocol. Before the name
 * are the header, the flags, the kind of the first section, the length of the section's document,
 * and the type of the document's first element.
 */
const NAME_AT = HEADER_BYTES + 4 + 1 + 4 + 1;
const WRITES = new Set(['insert', 'update', 'delete', 'bulkWrite', 'findAndModify', 'commitTransaction']);
const UNCOUNTED = new Set([
  'hello',
  'ping',
  'getMore',
  'killCursors',
  'endSessions',
  'ismaster',
  'isMaster',
  'aggregate',
]);

/** Starts a proxy in front of the database that counts its traffic. */
export async function countWire(house: BenchHouse): Promise<DatabaseWire> {
  const target = new URL(house.mongodbUri);
  let use: DatabaseUse = { commands: 0, writtenBytes: 0, readBytes: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const database = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
    const read = messages((message) => {
      const name = commandName(message);
      if (name === undefined || UNCOUNTED.has(name)) return;
      use.commands += 1;
      if (WRITES.has(name)) use.writtenBytes += message.length;
    });
    client.on('data', read);
    database.on('data', (chunk: Buffer) => (use.readBytes += chunk.length));
  });
  await new Promise<void>((listening) => server.listen(0, LOOPBACK, listening));
  house.onStop(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  const uri = new URL(target);
  uri.port = String((server.address() as AddressInfo).port);
  return {
    uri: uri.href,
    take() {
      const taken = use;
      use = { commands: 0, writtenBytes: 0, readBytes: 0 };
      return taken;
    },
  };
}

/**
 * Returns a function that takes the chunks of a stream, and calls `each` with every complete
 * message of MongoDB's wire protocol.
 */
function messages(each: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0);
      each(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
}

/** Returns the name of a command: the first key of its document. */
function commandName(message: Buffer): string | undefined {
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  const end = message.indexOf(0, NAME_AT);
  return message.toString('utf8', NAME_AT, end);
}
