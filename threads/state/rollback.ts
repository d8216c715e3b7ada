import type { MongoClient, Db } from 'mongodb';
import type { Fence, NamespaceHead } from '../../protocol/index.js';
import { MongoHeads } from './mongo-heads.js';
import { CheckpointCodec } from './saver/checkpoint-codec.js';
import { listCheckpoints } from './saver/checkpoint-search.js';
import { StateCollection } from './state-collection.js';

/**
 * Takes away every checkpoint a run made and moves the thread's head back to where it stood before. Idempotent. The caller holds the
 * fence. Errors: `fence_lost`.
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
  const made: { ns: string; id: string; parent: string | undefined }[] = [];
  for await (const tuple of listCheckpoints({ state, reads: state, codec }, config, { filter: { run_id: runId } })) {
    const { checkpoint_ns: ns, checkpoint_id: id } = tuple.config.configurable ?? {};
    const parent = tuple.parentConfig?.configurable?.checkpoint_id as string | undefined;
    made.push({ ns: ns as string, id: id as string, parent });
  }
  if (made.length === 0) return;
  const ids = new Set(made.map(({ id }) => id));
  const { rev, heads: now } = await heads.readHead(tenant, threadId);
  const back: Record<string, NamespaceHead | null> = {};
  for (const [ns, head] of Object.entries(now)) {
    if (!ids.has(head.checkpointId)) continue;
    const before = made.filter((one) => one.ns === ns && one.parent !== undefined && !ids.has(one.parent))[0]?.parent;
    back[ns] =
      before === undefined ? null : { checkpointId: before, run: 0, step: head.base, base: head.base, tail: 0 };
  }
  await state.moveHead(threadId, { heads: back, fence, rev });
  await state.removeCheckpoints(threadId, made);
}
