import { join } from 'node:path';
import type { DatabaseProgram } from '../database-program.js';
import type { ServerOptions } from '../options.js';
import { LOOPBACK } from '../ports.js';
import { writePrivateFile } from '../private-files.js';
import { installTool } from '../python-packages.js';
import { SECANTUS_DATA } from './data-names.js';
import { expireDocuments } from './expiry.js';

/**
 * The version is pinned, because `start.py` replaces internal functions of exactly this version.
 */
const PACKAGE = { name: 'secantusdb', version: '0.7.0b3' } as const;
const START_PROGRAM = join(import.meta.dirname, 'start.py');

/**
 * Switches off retryable writes. SecantusDB keeps the answers to retryable writes in memory and
 * searches all of them at each write. After 10,000 writes, one write took 20 ms instead of 3 ms.
 * Retryable writes would not be safe either: SecantusDB loses these answers when it is killed, and
 * would then execute a repeated write a second time.
 */
const URI_OPTIONS = 'retryWrites=false';

/**
 * Installs SecantusDB, a database with MongoDB's protocol, and returns how to start it. Used if
 * only SecantusDB wrote the existing data, or if mongod is neither installed nor can be downloaded.
 * Errors: `unavailable`.
 */
export async function findSecantus({ toolsDir, onProgress }: ServerOptions): Promise<DatabaseProgram> {
  const bin = await installTool(toolsDir, PACKAGE, onProgress);
  return {
    dataName: SECANTUS_DATA,
    label: `SecantusDB (wheel ${PACKAGE.name} ${PACKAGE.version})`,
    notice: 'SecantusDB is a beta, fine for trying and testing; in production set MONGODB_URI to a MongoDB replica set',
    command: join(bin, 'python'),
    args: secantusArguments,
    uriOptions: URI_OPTIONS,
    maintain: expireDocuments,
  };
}

function secantusArguments(folder: string, port: number): string[] {
  // The settings file is empty. Without one, SecantusDB would read a settings file from the working
  // folder or the home folder.
  const settings = `${folder}.toml`;
  writePrivateFile(settings, '');
  const location = ['--host', LOOPBACK, '--port', String(port), '--storage-path', folder];
  // Without `--sync-on-commit` a SIGKILL loses acknowledged writes.
  return [START_PROGRAM, '--config', settings, ...location, '--sync-on-commit', '--log-level', 'WARNING'];
}
