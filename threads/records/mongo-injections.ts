import type { ClientSession, Collection, Db } from 'mongodb';
import type { RunRequest } from '../../protocol/index.js';
import type { Injection, InjectionStore } from './ports.js';
import { runKey, type RunDocument } from './run-records.js';

/** How long the record of a message is kept after a step has taken the message, in ms. */
const TAKEN_MS = 7 * 24 * 3_600_000;

/**
 * Injections, which are messages for the active run. Each message is stored as a run that is not
 * admitted, so lists of runs do not show it. The transaction that commits a message into the state
 * of the thread also marks the message as taken. So each message is added only once, even if the
 * step is retried.
 */
export class MongoInjections {
  readonly #runs: Collection<RunDocument>;

  constructor(db: Db) {
    this.#runs = db.collection('runs');
  }

  /**
   * Looks up messages by the ids of their run records. Returns in `waiting` the messages that no
   * step has taken, in the order of `runIds`. Returns in `taken` the ids of the messages that are
   * already in the state of the thread, or whose records were removed.
   */
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

  /** Marks messages as taken, in the transaction of `session`. */
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

/** Creates an injection store that reads with {@link MongoInjections}. */
export function createInjectionStore(db: Db): InjectionStore {
  const injections = new MongoInjections(db);
  return { readInjections: ({ tenant }, threadId, runIds) => injections.read(tenant, threadId, runIds) };
}
