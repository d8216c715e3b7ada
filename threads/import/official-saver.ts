import { JsonPlusSerializer, type Checkpoint, type CheckpointMetadata } from '@langchain/langgraph-checkpoint';
import type { Binary, Collection, Db, ObjectId } from 'mongodb';
import { ColloquyError } from '../../protocol/index.js';

interface CheckpointDocument {
  _id: ObjectId;
  thread_id: string;
  checkpoint_ns: string;
  checkpoint_id: string;
  parent_checkpoint_id?: string | null;
  /** The format in which LangGraph's serializer has written both `checkpoint` and `metadata`. */
  type: string;
  checkpoint: Binary;
  metadata: Binary;
}

interface WriteDocument {
  thread_id: string;
  checkpoint_ns: string;
  checkpoint_id: string;
  task_id: string;
  idx: number;
  channel: string;
  type: string;
  value: Binary;
}

/**
 * Identifies a checkpoint of a thread in the collections of LangGraph's own saver, by document id,
 * namespace and checkpoint id.
 */
export interface OfficialKey {
  document: ObjectId;
  ns: string;
  id: string;
}

interface OfficialWrite {
  taskId: string;
  index: number;
  channel: string;
  value: unknown;
}

export interface OfficialCheckpoint {
  checkpoint: Checkpoint;
  metadata: CheckpointMetadata;
  parent?: string;
  writes: OfficialWrite[];
}

/**
 * Reads the two collections of LangGraph's own saver, `@langchain/langgraph-checkpoint-mongodb`
 * 1.x. One collection has a document for each checkpoint with all its values. The other has a
 * document for each pending write.
 */
export class OfficialSaver {
  readonly #checkpoints: Collection<CheckpointDocument>;
  readonly #writes: Collection<WriteDocument>;
  readonly #serializer = new JsonPlusSerializer();

  constructor(db: Db, collections: { checkpoints: string; writes: string }) {
    this.#checkpoints = db.collection(collections.checkpoints);
    this.#writes = db.collection(collections.writes);
  }

  /** Yields the ids of all threads, in ascending order. */
  async *threadIds(): AsyncGenerator<string> {
    const groups = this.#checkpoints.aggregate<{ _id: string }>(
      [{ $match: { thread_id: { $type: 'string' } } }, { $group: { _id: '$thread_id' } }, { $sort: { _id: 1 } }],
      { allowDiskUse: true },
    );
    for await (const { _id } of groups) yield _id;
  }

  /**
   * Returns the keys of a thread's checkpoints, sorted by namespace. Within a namespace, the oldest
   * checkpoint comes first.
   */
  async keys(threadId: string): Promise<OfficialKey[]> {
    const projection = { checkpoint_ns: 1, checkpoint_id: 1 } as const;
    const documents = await this.#checkpoints.find({ thread_id: threadId }, { projection }).toArray();
    const keys = documents.map(({ _id, checkpoint_ns: ns, checkpoint_id: id }) => ({
      document: _id,
      ns: ns ?? '',
      id,
    }));
    return keys.sort((a, b) => (a.ns === b.ns ? compare(a.id, b.id) : compare(a.ns, b.ns)));
  }

  /**
   * Reads a checkpoint with its pending writes. Errors: `invalid_argument` if LangGraph's
   * serializer cannot read the checkpoint or a pending write, if the document of the checkpoint was
   * removed, or if it contains a checkpoint with another id.
   */
  async read(threadId: string, { document: _id, ns, id }: OfficialKey): Promise<OfficialCheckpoint> {
    const address = { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id };
    const [document, writes] = await Promise.all([
      this.#checkpoints.findOne({ _id }),
      this.#writes.find(address).toArray(),
    ]);
    try {
      if (document === null) throw new Error('it was removed during the import');
      const { type, parent_checkpoint_id: parent } = document;
      const checkpoint = (await this.#load(type, document.checkpoint)) as Checkpoint;
      if (checkpoint?.id !== id) throw new Error('its document contains a checkpoint with another id');
      return {
        checkpoint,
        metadata: (await this.#load(type, document.metadata)) as CheckpointMetadata,
        ...(typeof parent === 'string' && { parent }),
        writes: await Promise.all(writes.map((write) => this.#write(write))),
      };
    } catch (cause) {
      throw unreadableCheckpoint(ns, id, (cause as Error).message, cause);
    }
  }

  async #write({ task_id: taskId, idx: index, channel, type, value }: WriteDocument): Promise<OfficialWrite> {
    return { taskId, index, channel, value: await this.#load(type, value) };
  }

  async #load(type: string, data: Binary): Promise<unknown> {
    return this.#serializer.loadsTyped(type, data.buffer.subarray(0, data.position));
  }
}

export function unreadableCheckpoint(ns: string, id: string, reason: string, cause?: unknown): ColloquyError {
  const namespace = ns === '' ? '' : ` of namespace ${ns}`;
  return new ColloquyError('invalid_argument', `checkpoint ${id}${namespace} cannot be read: ${reason}`, { cause });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
