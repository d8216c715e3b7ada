import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { readJson } from './json-file.js';
import { writePrivateFile } from './private-files.js';
import type { OnProgress } from './progress.js';

const PROBE_TIMEOUT_MS = 3_000;
const RETRY_AFTER_MS = 3_600_000;

/**
 * Returns whether the URL of a download can be reached. After a failure, its host counts as
 * unreachable for an hour, so that a machine without internet access does not wait at every start.
 */
export async function isReachable(url: string, failuresFile: string, onProgress: OnProgress): Promise<boolean> {
  const { host } = new URL(url);
  const failedAt = readJson<Record<string, number>>(failuresFile) ?? {};
  if (Date.now() - (failedAt[host] ?? 0) < RETRY_AFTER_MS) return false;
  const fault = await probe(url);
  if (fault === undefined) return true;
  onProgress(`${host} cannot be reached (${fault}); trying the next source`);
  mkdirSync(dirname(failuresFile), { recursive: true });
  writePrivateFile(failuresFile, JSON.stringify({ ...failedAt, [host]: Date.now() }));
  return false;
}

async function probe(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'follow',
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    return response.status < 400 ? undefined : `status ${response.status}`;
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    return cause ?? (error as Error).message;
  }
}
