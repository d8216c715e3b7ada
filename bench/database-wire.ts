import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { LOOPBACK } from '../dev/ports.js';
import type { BenchHouse } from './house.js';

export interface WireUse {
  /** Commands sent to the database: each is a round trip. What only waits or watches does not count. */
  commands: number;
  /** Bytes of commands that write. */
  writtenBytes: number;
  /** Bytes that the database answered. */
  readBytes: number;
}

export interface DatabaseWire {
  /** Address of the house's database, by which everything is counted. */
  uri: string;
  /** Counts since the last time it was asked. */
  take(): WireUse;
}

const HEADER_BYTES = 16;
const OP_MSG = 2013;
/** Behind header, flags, the kind of the first section, the length of its document, and the type of its first element. */
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

/** Puts itself before the database and reads what goes by. */
export async function countWire(house: BenchHouse): Promise<DatabaseWire> {
  const target = new URL(house.mongodbUri);
  let use: WireUse = { commands: 0, writtenBytes: 0, readBytes: 0 };
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

/** Cuts a stream into messages of the wire protocol. */
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

/** The first key of a command is its name. */
function commandName(message: Buffer): string | undefined {
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  const end = message.indexOf(0, NAME_AT);
  return message.toString('utf8', NAME_AT, end);
}
