import type { MongoClient, Db } from 'mongodb';
import type { Fence, NamespaceHead } from '../../protocol/index.js';
import { MongoHeads } from './mongo-heads.js';
import { CheckpointCodec } from './saver/checkpoint-codec.js';
import { listCheckpoints } from './saver/checkpoint-search.js';
import { StateCollection } from './state-collection.js';

/**
 * Removes every checkpoint of a run and moves the thread's head back to the checkpoint before the
 * run. Idempotent. `fence` is the fence of the attempt that rolls the run back. Errors:
 * `fence_lost` if the thread has a higher fence, or if another writer moves the head at the same
 * time.
 */
export async function rollbackRun(
  { client, db }: { client: MongoClient; db: Db },
  thread: { tenant: string; threadId: string },
  runId: string,
  fence: Fence,
): Promise<void> {
  const { tenant, threadId } = thread;
  const heads = new MongoHeads(db);
  const state = new StateCollection({ client, db }, tenant, heads);
  const codec = new CheckpointCodec({ tenant, reads: state, sharesChunks: false });
  const config = { configurable: { thread_id: threadId } };
  const created: { ns: string; id: string; parent: string | undefined }[] = [];
  for await (const tuple of listCheckpoints({ state, reads: state, codec }, config, { filter: { run_id: runId } })) {
    const { checkpoint_ns: ns, checkpoint_id: id } = tuple.config.configurable ?? {};
    const parent = tuple.parentConfig?.configurable?.checkpoint_id as string | undefined;
    created.push({ ns: ns as string, id: id as string, parent });
  }
  if (created.length === 0) return;
  const ids = new Set(created.map(({ id }) => id));
  const { rev, heads: current } = await heads.readHead(tenant, threadId);
  const restored: Record<string, NamespaceHead | null> = {};
  for (const [ns, head] of Object.entries(current)) {
    if (!ids.has(head.checkpointId)) continue;
    const before = created.find(
      ({ ns: itsNs, parent }) => itsNs === ns && parent !== undefined && !ids.has(parent),
    )?.parent;
    restored[ns] =
      before === undefined ? null : { checkpointId: before, run: 0, step: head.base, base: head.base, tail: 0 };
  }
  await state.moveHead(threadId, { heads: restored, fence, rev });
  await state.removeCheckpoints(threadId, created);
}
