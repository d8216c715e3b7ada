import type { ClientSession, Collection, Db } from 'mongodb';
import type { RunRequest } from '../../protocol/index.js';
import type { Injection, InjectionStore } from './ports.js';
import { runKey, type RunDocument } from './run-records.js';

/** How long the mark stays that a message was taken, in ms: as long as an orphan. */
const TAKEN_MS = 7 * 24 * 3_600_000;

/**
 * Messages for turns at work, which are stored as runs that nobody admitted. A message is taken in the transaction that commits the state it is
 * in, so it is in the state once, however often the step is tried.
 */
export class MongoInjections {
  readonly #runs: Collection<RunDocument>;

  constructor(db: Db) {
    this.#runs = db.collection('runs');
  }

  /** In the given order. `taken`: those that are in the state, or that are gone. */
  async read(
    tenant: string,
    threadId: string,
    runIds: readonly string[],
  ): Promise<{ waiting: Injection[]; taken: string[] }> {
    if (runIds.length === 0) return { waiting: [], taken: [] };
    const keys = runIds.map((runId) => runKey(tenant, threadId, runId));
    const found = await this.#runs.find({ _id: { $in: keys }, status: 'pending' }).toArray();
    const requests = new Map(found.map(({ runId, request }) => [runId, request]));
    const waiting = runIds.flatMap((runId) => {
      const request = requests.get(runId);
      return request === undefined ? [] : [{ runId, input: (JSON.parse(request) as RunRequest).input }];
    });
    return { waiting, taken: runIds.filter((runId) => !requests.has(runId)) };
  }

  /** Marks them inside of a transaction. */
  async take(session: ClientSession, tenant: string, threadId: string, runIds: readonly string[]): Promise<void> {
    const now = Date.now();
    await this.#runs.updateMany(
      { _id: { $in: runIds.map((runId) => runKey(tenant, threadId, runId)) } },
      {
        $set: { status: 'success', updatedAt: new Date(now), expiresAt: new Date(now + TAKEN_MS) },
        $unset: { active: '' },
      },
      { session },
    );
  }
}

/** The port on {@link MongoInjections}. */
export function createInjectionStore(db: Db): InjectionStore {
  const injections = new MongoInjections(db);
  return { readInjections: ({ tenant }, threadId, runIds) => injections.read(tenant, threadId, runIds) };
}
