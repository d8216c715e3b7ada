import { join } from 'node:path';
import type { MongoClient } from 'mongodb';
import { findExecutable, findOnPath } from '../binaries.js';
import type { DatabaseProgram } from '../database-program.js';
import { isReachable } from '../downloads.js';
import type { ServerOptions } from '../options.js';
import { LOOPBACK } from '../ports.js';
import { MONGOD_DATA } from './data-names.js';

const VERSION = '8.0.17';
const REPLICA_SET = 'colloquy';
const DOWNLOADED = /^mongod-/;

/**
 * Returns mongod. Downloads it if it is not installed. Returns undefined if it cannot be
 * downloaded.
 */
export async function findMongod(options: ServerOptions): Promise<DatabaseProgram | undefined> {
  const installed = findOnPath('mongod', options.searchPath);
  if (installed !== undefined) return mongod(installed, `mongod (${installed})`);
  const downloads = join(options.toolsDir, 'bin');
  const downloaded = findExecutable(downloads, DOWNLOADED) ?? (await download(downloads, options));
  if (downloaded === undefined) return undefined;
  return mongod(downloaded, `mongod ${VERSION} (downloaded by mongodb-memory-server)`);
}

function mongod(command: string, label: string): DatabaseProgram {
  return { dataName: MONGOD_DATA, label, command, args: mongodArguments, initialize: ensureReplicaSet };
}

/**
 * Arguments that make mongod abort a transaction after 10 s; the default is 60 s. If a worker dies
 * in a transaction, the conversation's thread stays locked until mongod aborts the transaction.
 * Transactions of Colloquy take milliseconds.
 */
const TRANSACTION_LIFETIME = ['--setParameter', 'transactionLifetimeLimitSeconds=10'];

function mongodArguments(folder: string, port: number): string[] {
  const location = ['--bind_ip', LOOPBACK, '--port', String(port), '--dbpath', folder];
  return [...location, '--replSet', REPLICA_SET, ...TRANSACTION_LIFETIME, '--quiet'];
}

interface ReplicaSetConfig {
  version: number;
  members: { host: string }[];
}

/**
 * Initiates the replica set if it is new. The configuration of the replica set contains the host
 * and port number of mongod. If mongod now has another port number, corrects the configuration.
 * Otherwise mongod would not recognise itself as a member of the replica set.
 */
async function ensureReplicaSet(client: MongoClient, host: string): Promise<void> {
  const admin = client.db('admin');
  try {
    const { config } = (await admin.command({ replSetGetConfig: 1 })) as { config: ReplicaSetConfig };
    if (config.members[0]?.host === host) return;
    const members = [{ ...config.members[0], host }];
    await admin.command({ replSetReconfig: { ...config, version: config.version + 1, members }, force: true });
  } catch (error) {
    if ((error as { codeName?: string }).codeName !== 'NotYetInitialized') throw error;
    await admin.command({ replSetInitiate: { _id: REPLICA_SET, members: [{ _id: 0, host }] } });
  }
}

async function download(folder: string, { toolsDir, onProgress }: ServerOptions): Promise<string | undefined> {
  try {
    const { DryMongoBinary, MongoBinary } = await import('mongodb-memory-server-core');
    const { MongoBinaryDownloadUrl } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js');
    const wanted = await DryMongoBinary.generateOptions({ version: VERSION, downloadDir: folder });
    const url = await new MongoBinaryDownloadUrl(wanted).getDownloadUrl();
    if (!(await isReachable(url, join(toolsDir, 'downloads.json'), onProgress))) return undefined;
    onProgress(`downloading mongod ${VERSION} into ${folder}`);
    return await MongoBinary.getPath(wanted);
  } catch (error) {
    onProgress(`the download of mongod failed: ${(error as Error).message}; trying the next source`);
    return undefined;
  }
}
