import { Connection, isGrpcServiceError } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TemporalConfig } from '../config/index.js';
import { ColloquyError } from '../protocol/index.js';
import { SEARCH_ATTRIBUTES } from '../workflows/contract.js';

const CONNECT_TIMEOUT_MS = 10_000;
const VISIBLE_TIMEOUT_MS = 60_000;
/** Type of our search attributes: the number of `INDEXED_VALUE_TYPE_KEYWORD` in Temporal's API. */
const KEYWORD = 2;
const GRPC = { unimplemented: 12, permissionDenied: 7, unauthenticated: 16, alreadyExists: 6, notFound: 5 } as const;

/**
 * Returns the options of a connection to Temporal. A client's `Connection` and a worker's
 * `NativeConnection` take the same options.
 */
export function temporalOptions({ address, apiKey, tls }: TemporalConfig): Pick<ConnectionOptions, 'address'> & {
  apiKey?: string;
  tls?: Exclude<TemporalConfig['tls'], undefined>;
} {
  return { address, ...(apiKey !== undefined && { apiKey }), ...(tls !== undefined && { tls }) };
}

/** Connects to Temporal. Errors: `unavailable` if Temporal does not answer. */
export async function connectTemporal(config: TemporalConfig, timeoutMs = CONNECT_TIMEOUT_MS): Promise<Connection> {
  try {
    return await Connection.connect({ ...temporalOptions(config), connectTimeout: timeoutMs });
  } catch (cause) {
    throw new ColloquyError(
      'unavailable',
      `Temporal does not answer at ${config.address}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/**
 * Creates the search attributes that conversations need and that the Temporal namespace does not
 * have yet. Errors: `unavailable` if the namespace does not exist; `forbidden` if this process may
 * not create search attributes. The message of the error `forbidden` contains the command with
 * which an operator can create them.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const missing = await missingAttributes(connection, namespace);
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (cause) {
    if (isGrpcServiceError(cause) && Number(cause.code) === GRPC.alreadyExists) return;
    throw attributesError(namespace, missing, cause);
  }
  for (const giveUpAt = Date.now() + VISIBLE_TIMEOUT_MS; Date.now() < giveUpAt; await sleep(250)) {
    if ((await missingAttributes(connection, namespace)).length === 0) return;
  }
  throw new ColloquyError(
    'unavailable',
    `namespace ${namespace} does not show its new search attributes ${missing.join(', ')}`,
  );
}

async function missingAttributes(connection: Connection, namespace: string): Promise<string[]> {
  const wanted = Object.values(SEARCH_ATTRIBUTES);
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return wanted.filter((name) => customAttributes[name] === undefined);
  } catch (cause) {
    if (isGrpcServiceError(cause) && Number(cause.code) === GRPC.notFound) {
      throw new ColloquyError('unavailable', `Temporal has no namespace ${namespace}`, { cause });
    }
    throw attributesError(namespace, wanted, cause);
  }
}

function attributesError(namespace: string, names: string[], cause: unknown): ColloquyError {
  const codes: number[] = [GRPC.unimplemented, GRPC.permissionDenied, GRPC.unauthenticated];
  const isRefused = isGrpcServiceError(cause) && codes.includes(Number(cause.code));
  const command = `temporal operator search-attribute create --namespace ${namespace} ${names.map((name) => `--name ${name} --type Keyword`).join(' ')}`;
  return new ColloquyError(
    isRefused ? 'forbidden' : 'unavailable',
    `namespace ${namespace} needs the search attributes ${names.join(', ')} (Keyword), which could not be created: ${(cause as Error).message}. An operator can create them: ${command}`,
    { cause },
  );
}
