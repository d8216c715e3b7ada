import type { Db, MongoClient } from 'mongodb';
import { MongoInjections } from './records/index.js';
import { MongoSaver, StepSaver, rollbackRun, type SaverStore } from './state/index.js';

/** Creates a {@link SaverStore}: it opens checkpoint savers that store in MongoDB. */
export function createSaverStore({ client, db }: { client: MongoClient; db: Db }): SaverStore {
  const injections = new MongoInjections(db);
  return {
    async openReader({ tenant }) {
      return new MongoSaver({ client, db, tenant });
    },

    async openEditor({ tenant }) {
      return new MongoSaver({ client, db, tenant, exclusive: true });
    },

    async openStep({ tenant }, scope) {
      return (hooks) =>
        new StepSaver({
          ...{ client, db, tenant },
          ...scope,
          ...hooks,
          takeInjections: (session, runIds) => injections.take(session, tenant, scope.threadId, runIds),
        });
    },

    async rollbackRun({ tenant }, threadId, runId, fence) {
      await rollbackRun({ client, db }, { tenant, threadId }, runId, fence);
    },
  };
}
