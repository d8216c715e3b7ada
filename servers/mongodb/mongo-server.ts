import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import type { DatabaseProgram } from '../database-program.js';
import type { ServerOptions } from '../options.js';
import { LOOPBACK } from '../ports.js';
import { makeOwnFolder } from '../private-files.js';
import { SECANTUS_DATA } from '../secantus/data-names.js';
import { findSecantus } from '../secantus/secantus.js';
import { startOwned } from '../server.js';
import type { Server } from '../server.js';
import { MONGOD_DATA } from './data-names.js';
import { findMongod } from './mongod.js';

const READY_TIMEOUT_MS = 60_000;

/**
 * Starts a database server that speaks MongoDB's wire protocol: mongod, as a replica set with one
 * member, or SecantusDB. Errors: `unavailable`, `already_exists`, `forbidden`.
 */
export async function startMongo(options: ServerOptions): Promise<Server> {
  const { dataDir, ports, onProgress } = options;
  const port = await ports.choose('mongodb', options.mongodbPort);
  const program = await findProgram(options);
  onProgress(`starting ${program.label} on port ${port}`);
  if (program.notice !== undefined) onProgress(program.notice);
  const folder = join(dataDir, program.dataName);
  makeOwnFolder(folder);
  const host = `${LOOPBACK}:${port}`;
  const uriOptions = ['directConnection=true', ...(program.uriOptions === undefined ? [] : [program.uriOptions])];
  const address = `mongodb://${host}/?${uriOptions.join('&')}`;
  const server = await startOwned({
    spec: {
      name: 'MongoDB',
      command: program.command,
      args: program.args(folder, port),
      logFile: join(dataDir, 'logs', 'mongodb.log'),
    },
    address,
    label: program.label,
    pidFile: `${folder}.pid`,
    mark: folder,
    probe: () => probeMongo(program, address, host),
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  if (program.maintain === undefined) return server;
  const endMaintenance = program.maintain(address);
  const stop = async () => {
    await endMaintenance();
    await server.stop();
  };
  return { ...server, stop };
}

/**
 * Returns the program that wrote the existing data. If there are no data yet, or data of both
 * programs, prefers mongod. Fails if only mongod has written data and mongod is missing, because
 * SecantusDB would begin with an empty database.
 */
async function findProgram(options: ServerOptions): Promise<DatabaseProgram> {
  const hasData = (dataName: string) => existsSync(join(options.dataDir, dataName));
  if (hasData(SECANTUS_DATA) && !hasData(MONGOD_DATA)) return findSecantus(options);
  const mongod = await findMongod(options);
  if (mongod !== undefined) return mongod;
  if (!hasData(MONGOD_DATA) || hasData(SECANTUS_DATA)) return findSecantus(options);
  throw new Error(
    `${join(options.dataDir, MONGOD_DATA)} has data of mongod, which is neither installed nor can be downloaded; ` +
      'install mongod, or choose another data folder',
  );
}

async function probeMongo(program: DatabaseProgram, uri: string, host: string): Promise<void> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 2_000, connectTimeoutMS: 2_000 });
  try {
    await client.connect();
    await program.initialize?.(client, host);
    const { isWritablePrimary } = await client.db('admin').command({ hello: 1 });
    if (isWritablePrimary !== true) throw new Error('not yet primary');
  } finally {
    await client.close();
  }
}
