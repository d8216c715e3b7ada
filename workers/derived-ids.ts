import { createHmac, randomBytes } from 'node:crypto';
import type { Db } from 'mongodb';
import { isDuplicateKey } from '../database/index.js';
import type { DeriveId } from '../protocol/index.js';

interface SecretDocument {
  _id: string;
  /** The secret: 32 random bytes in Base64. */
  value: string;
}

const SECRET_ID = 'derived-ids';
const SECRET_BYTES = 32;

/**
 * Returns a function that derives an id from a caller, a purpose and more values. It uses a secret
 * in the database, which the first process creates. All processes that use this database share the
 * secret and therefore derive the same ids.
 */
export async function openDerivedIds(db: Db): Promise<DeriveId> {
  const secret = Buffer.from(await readSecret(db), 'base64');
  return ({ tenant, principal }, purpose, ...parts) => {
    const text = JSON.stringify([tenant, principal.kind, principal.id, purpose, ...parts]);
    return asUuid(createHmac('sha256', secret).update(text).digest());
  };
}

async function readSecret(db: Db): Promise<string> {
  const secrets = db.collection<SecretDocument>('secrets');
  const known = await secrets.findOne({ _id: SECRET_ID });
  if (known !== null) return known.value;
  const value = randomBytes(SECRET_BYTES).toString('base64');
  try {
    await secrets.insertOne({ _id: SECRET_ID, value });
    return value;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return readSecret(db);
  }
}

/**
 * Formats a digest as a UUID of version 8 (RFC 9562). In this version an application may choose the
 * bits.
 */
function asUuid(digest: Buffer): string {
  const bytes = Buffer.from(digest.subarray(0, 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
