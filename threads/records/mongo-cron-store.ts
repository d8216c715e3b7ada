import type { Db } from 'mongodb';
import { ColloquyError, type Caller } from '../../protocol/index.js';
import { asCron, cronFilter, cronKey, newCronDocument, patchUpdate, type CronDocument } from './cron-records.js';
import type { CronStore } from './cron-store.js';
import { openCollection, withDatabaseErrors } from '../../database/index.js';
import { guardPage } from './record-fields.js';

const SORT_FIELDS = {
  cron_id: 'cronId',
  assistant_id: 'assistantId',
  thread_id: 'threadId',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
  next_run_date: 'nextRunAt',
} as const;
const UPDATE_ATTEMPTS = 20;

interface CronStoreOptions {
  db: Db;
}

/** Creates a cron store on MongoDB. */
export function createCronStore({ db }: CronStoreOptions): CronStore {
  const crons = openCollection<CronDocument>(db, 'crons');

  async function find(caller: Caller, cronId: string, shownOnly: boolean): Promise<CronDocument> {
    const found = await crons.findOne({ _id: cronKey(caller.tenant, cronId) });
    if (found === null || found.change === 'delete' || (shownOnly && found.hidden)) throw noCron(cronId);
    return found;
  }

  return withDatabaseErrors<CronStore>({
    async createCron(caller, cron) {
      const document = newCronDocument(caller, cron);
      await crons.insertOne(document);
      return asCron(document);
    },

    async getCron(caller, cronId, { shownOnly = true } = {}) {
      return asCron(await find(caller, cronId, shownOnly));
    },

    async searchCrons(caller, query) {
      guardPage(query);
      const direction = query.sortOrder === 'asc' ? 1 : -1;
      const found = await crons
        .find(cronFilter(caller, query))
        .sort({ [SORT_FIELDS[query.sortBy ?? 'created_at']]: direction, _id: direction })
        .skip(query.offset)
        .limit(query.limit)
        .toArray();
      return found.map(asCron);
    },

    async countCrons(caller, filter) {
      return crons.countDocuments(cronFilter(caller, filter));
    },

    async updateCron(caller, cronId, patch) {
      for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
        const found = await find(caller, cronId, true);
        const changed = await crons.findOneAndUpdate(
          { _id: found._id, rev: found.rev, hidden: { $exists: false } },
          patchUpdate(found, patch),
          { returnDocument: 'after' },
        );
        if (changed !== null) return asCron(changed);
      }
      throw new ColloquyError(
        'conflict',
        `cron ${cronId} was changed concurrently ${UPDATE_ATTEMPTS} times in a row; try again later`,
      );
    },

    async settleCron(caller, cronId, rev, nextRunAt) {
      const { matchedCount } = await crons.updateOne(
        { _id: cronKey(caller.tenant, cronId), rev, change: { $ne: 'delete' } },
        { $set: { nextRunAt: nextRunAt ?? null }, $unset: { unsettled: '', change: '', hidden: '' } },
      );
      return matchedCount > 0;
    },

    async noteNextRun(caller, cronId, nextRunAt) {
      await crons.updateOne({ _id: cronKey(caller.tenant, cronId) }, { $set: { nextRunAt: nextRunAt ?? null } });
    },

    async closeCron(caller, cronId) {
      const { matchedCount } = await crons.updateOne(
        { _id: cronKey(caller.tenant, cronId) },
        { $set: { unsettled: caller.tenant, change: 'delete', hidden: true, updatedAt: new Date() }, $inc: { rev: 1 } },
      );
      if (matchedCount === 0) throw noCron(cronId);
    },

    async removeCron(caller, cronId) {
      await crons.deleteOne({ _id: cronKey(caller.tenant, cronId) });
    },

    async unsettledCrons(caller, before, limit) {
      const found = await crons
        .find({ unsettled: caller.tenant, updatedAt: { $lt: before } })
        .sort({ updatedAt: 1 })
        .limit(limit)
        .toArray();
      return found.map(({ cronId, change = 'update' }) => ({ cronId, change }));
    },
  });
}

function noCron(cronId: string): ColloquyError {
  return new ColloquyError('not_found', `cron ${cronId} does not exist`);
}
