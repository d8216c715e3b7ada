import type { Db } from 'mongodb';
import type { AssistantDocument, VersionDocument } from './assistant-records.js';
import type { CronDocument } from './cron-records.js';
import type { RunDocument } from './run-records.js';
import type { ThreadDocument } from './thread-documents.js';

/**
 * Creates the indexes of `threads`, `runs`, `assistants`, `assistant_versions` and `crons`.
 * Idempotent.
 */
export async function ensureRecordIndexes(db: Db): Promise<void> {
  await Promise.all([
    db.collection<ThreadDocument>('threads').createIndexes([
      { key: { tenant: 1, createdAt: -1 }, name: 'created' },
      { key: { tenant: 1, updatedAt: -1 }, name: 'updated' },
      { key: { labels: 1 }, name: 'labels' },
      { key: { 'ttl.expiresAt': 1 }, name: 'expiry', sparse: true },
      { key: { deletedAt: 1 }, name: 'closed', sparse: true },
      { key: { thinAt: 1 }, name: 'thinning', sparse: true },
    ]),
    db.collection<RunDocument>('runs').createIndexes([
      { key: { thread: 1, createdAt: -1 }, name: 'thread' },
      { key: { thread: 1, active: 1 }, name: 'active', partialFilterExpression: { active: true } },
      { key: { thread: 1, key: 1 }, name: 'key', unique: true, partialFilterExpression: { key: { $type: 'string' } } },
      { key: { expiresAt: 1 }, name: 'orphans', expireAfterSeconds: 0 },
    ]),
    db.collection<AssistantDocument>('assistants').createIndexes([
      { key: { tenant: 1, createdAt: -1 }, name: 'created' },
      { key: { labels: 1 }, name: 'labels' },
    ]),
    db.collection<CronDocument>('crons').createIndexes([
      { key: { tenant: 1, createdAt: -1 }, name: 'created' },
      { key: { labels: 1 }, name: 'labels' },
      { key: { thread: 1 }, name: 'thread', partialFilterExpression: { thread: { $type: 'string' } } },
      { key: { unsettled: 1 }, name: 'unsettled', partialFilterExpression: { unsettled: { $type: 'string' } } },
    ]),
    db
      .collection<VersionDocument>('assistant_versions')
      .createIndexes([{ key: { assistant: 1, version: -1 }, name: 'assistant' }]),
  ]);
}
