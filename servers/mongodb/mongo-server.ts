import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { WHEELS, ensureWheel, findExecutable, isReachable, onPath } from '../binaries.js';
import type { Binary } from '../binaries.js';
import { LOOPBACK } from '../ports.js';
import { makeOwnFolder, writePrivateFile } from '../private-files.js';
import { expireDocuments } from '../secantus/secantus-expiry.js';
import { SECANTUS_START } from '../secantus/secantus-start.js';
import { startOwned } from '../server.js';
import type { Server } from '../server.js';
import type { ServerOptions } from '../embedded-servers.js';

const MONGOD_VERSION = '8.0.17';
const REPLICA_SET = 'colloquy';
const READY_TIMEOUT_MS = 60_000;
/**
 * SecantusDB keeps the answers of retryable writes in memory and looks through all of them at every write: after 10,000 a write took 20 ms
 * instead of 3. Since it forgets them when it is killed, they would not save anybody from doing a write twice either.
 */
const SECANTUS_OPTIONS = '&retryWrites=false';

/** The two keep their data in formats of their own: whoever wrote the conversations goes on serving them. */
type Kind = 'mongod' | 'secantusdb';
interface MongoBinary extends Binary {
  kind: Kind;
}

/** Starts a server that speaks MongoDB's wire protocol as a replica set of one. Errors: `unavailable`, `already_exists`. */
export async function startMongo(options: ServerOptions): Promise<Server> {
  const { dataDir, ports, say } = options;
  const port = await ports.choose('mongodb', options.mongodbPort);
  const binary = await findMongo(options);
  say(`starting ${binary.label} on port ${port}`);
  if (binary.kind === 'secantusdb')
    say('SecantusDB is a beta, fine for trying and testing; in production set MONGODB_URI to a MongoDB replica set');
  const folder = join(dataDir, binary.kind);
  makeOwnFolder(folder);
  const address = `mongodb://${LOOPBACK}:${port}/?directConnection=true${binary.kind === 'secantusdb' ? SECANTUS_OPTIONS : ''}`;
  const server = await startOwned({
    spec: {
      name: 'MongoDB',
      command: binary.path,
      args: binary.kind === 'mongod' ? mongodArguments(folder, port) : secantusArguments(folder, port),
      logFile: join(dataDir, 'logs', 'mongodb.log'),
    },
    address,
    label: binary.label,
    pidFile: join(dataDir, `${binary.kind}.pid`),
    mark: folder,
    probe: () => probeMongo(address, `${LOOPBACK}:${port}`, binary.kind),
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  if (binary.kind === 'mongod') return server;
  const end = expireDocuments(address);
  const stop = async () => {
    await end();
    await server.stop();
  };
  return { ...server, stop };
}

/** A transaction whose worker died keeps its thread locked until the server ends it; ours take milliseconds. */
const TRANSACTION_LIFETIME = ['--setParameter', 'transactionLifetimeLimitSeconds=10'];

function mongodArguments(folder: string, port: number): string[] {
  const place = ['--bind_ip', LOOPBACK, '--port', String(port), '--dbpath', folder];
  return [...place, '--replSet', REPLICA_SET, ...TRANSACTION_LIFETIME, '--quiet'];
}

/** Without `--sync-on-commit` a SIGKILL loses acknowledged writes. Without a file of settings it would take one that lies in the working folder or the home. */
function secantusArguments(folder: string, port: number): string[] {
  const script = `${folder}.py`;
  const settings = `${folder}.toml`;
  writePrivateFile(script, SECANTUS_START);
  writePrivateFile(settings, '');
  const place = ['--host', LOOPBACK, '--port', String(port), '--storage-path', folder];
  return [script, '--config', settings, ...place, '--sync-on-commit', '--log-level', 'WARNING'];
}

async function probeMongo(uri: string, host: string, kind: Kind): Promise<void> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 2_000, connectTimeoutMS: 2_000 });
  try {
    await client.connect();
    if (kind === 'mongod') await ensureReplicaSet(client, host);
    const { isWritablePrimary } = await client.db('admin').command({ hello: 1 });
    if (isWritablePrimary !== true) throw new Error('not yet primary');
  } finally {
    await client.close();
  }
}

interface ReplicaSetConfig {
  version: number;
  members: { host: string }[];
}

/** A mongod writes the host into its replica set; after a change of port it would not know itself. */
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

async function findMongo(options: ServerOptions): Promise<MongoBinary> {
  const { dataDir, toolsDir, searchPath, say } = options;
  const isSecantusData = existsSync(join(dataDir, 'secantusdb')) && !existsSync(join(dataDir, 'mongod'));
  if (isSecantusData) return secantus(toolsDir, say);
  const installed = onPath('mongod', searchPath);
  if (installed !== undefined) return { kind: 'mongod', path: installed, label: `mongod (${installed})` };
  const downloads = join(toolsDir, 'bin');
  const cached = findExecutable(downloads, /^mongod-/) ?? (await downloadMongod(downloads, toolsDir, say));
  if (cached !== undefined)
    return { kind: 'mongod', path: cached, label: `mongod ${MONGOD_VERSION} (downloaded by mongodb-memory-server)` };
  return secantus(toolsDir, say);
}

async function secantus(toolsDir: string, say: ServerOptions['say']): Promise<MongoBinary> {
  const bin = await ensureWheel(toolsDir, 'secantusdb', say);
  return {
    kind: 'secantusdb',
    path: join(bin, 'python'),
    label: `SecantusDB (wheel secantusdb ${WHEELS.secantusdb})`,
  };
}

async function downloadMongod(
  folder: string,
  toolsDir: string,
  say: ServerOptions['say'],
): Promise<string | undefined> {
  try {
    const { DryMongoBinary, MongoBinary } = await import('mongodb-memory-server-core');
    const { MongoBinaryDownloadUrl } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js');
    const wanted = await DryMongoBinary.generateOptions({ version: MONGOD_VERSION, downloadDir: folder });
    const url = await new MongoBinaryDownloadUrl(wanted).getDownloadUrl();
    if (!(await isReachable(url, join(toolsDir, 'downloads.json'), say))) return undefined;
    say(`downloading mongod ${MONGOD_VERSION} into ${folder}`);
    return await MongoBinary.getPath(wanted);
  } catch (error) {
    say(`the download of mongod failed: ${(error as Error).message}; trying the next source`);
    return undefined;
  }
}
