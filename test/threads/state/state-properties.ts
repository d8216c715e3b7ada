import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AIMessage, HumanMessage } from '@langchain/core/messages';
import { MemorySaver, emptyCheckpoint, uuid6, type BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MongoClient } from 'mongodb';
import type { Server } from '../../../servers/server.js';
import { startServer } from '../../../servers/embedded-servers.js';
import { encodeFence } from '../../../protocol/index.js';
import {
  MongoHeads,
  MongoSaver,
  StateCache,
  StepSaver,
  copyState,
  ensureStateIndexes,
  keepLatest,
} from '../../../threads/index.js';

/**
 * An operation on a thread. `from` chooses the parent checkpoint: 0 is the newest checkpoint, 1 is
 * the one before it, and so on. `at` chooses a checkpoint, or an element of the list in the channel
 * `messages`. The chosen index is `at` modulo the number of checkpoints or elements.
 */
type Action =
  | { kind: 'put'; from: number; edit: Edit; as: 'step' | 'edit' }
  | { kind: 'writes'; at: number; size: number; as: 'step' | 'edit' }
  | { kind: 'mutateLast'; at: number }
  | { kind: 'delete' }
  | { kind: 'prune' }
  | { kind: 'copy' };
type Saver = BaseCheckpointSaver<number> | BaseCheckpointSaver<string>;
type Edit =
  | { how: 'append' | 'prepend' | 'insert'; at: number; sizes: number[] }
  | { how: 'remove' | 'replace' | 'cut' | 'drop' | 'mutate' | 'swap' | 'double'; at: number };

const at = fc.nat(1_000);
const sizes = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.nat(6_000), { minLength: 1, maxLength: 6 }) },
  // The first list is so long that its tree of chunks has inner nodes. The second list has one
  // element that is split into several chunks.
  { weight: 1, arbitrary: fc.constant<number[]>(Array.from({ length: 80 }, () => 9_000)) },
  { weight: 1, arbitrary: fc.constant<number[]>([1_500_000]) },
);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ how: fc.constantFrom('append', 'append', 'append', 'prepend', 'insert'), at, sizes }),
  fc.record({ how: fc.constantFrom('remove', 'replace', 'cut', 'drop', 'mutate', 'mutate', 'swap', 'double'), at }),
);
const as = fc.constantFrom('step', 'edit');
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('put'), from: fc.constantFrom(0, 0, 0, 1, 2, 5), edit, as }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('writes'), at, size: fc.constantFrom(10, 10, 5_000_000), as }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('mutateLast'), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('delete', 'prune', 'copy') }) },
);

const tenant = 'acme';
let dataDir: string;
let server: Server;
let client: MongoClient;

function useServer(): void {
  beforeAll(async () => {
    // Uses a MongoDB server of its own. After the crash of a writer, the test ends the sessions of
    // all clients of the server.
    dataDir = mkdtempSync(join(tmpdir(), 'colloquy-properties-'));
    const options = { dataDir, toolsDir: resolve('.colloquy'), mongodbPort: 0, searchPath: process.env['PATH'] };
    server = await startServer('mongodb', { ...options, onProgress: () => undefined });
    client = await MongoClient.connect(server.address);
    await ensureStateIndexes(client.db('properties'));
  }, 60_000);
  afterAll(async () => {
    await client.close();
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
}

let elements = 0;
function element(size: number): unknown {
  const number = (elements += 1);
  const text = `${number} ${'x'.repeat(size)}`;
  if (size % 4 === 0) return new HumanMessage({ id: `m${number}`, content: text });
  if (size % 4 === 1)
    return new AIMessage({ id: `m${number}`, content: text, tool_calls: [{ name: 't', args: { a: 1 } }] });
  if (size % 4 === 2) return text;
  return { text, tags: new Set([number]), none: undefined };
}

/**
 * Returns the list after an edit. The same edit is applied to two lists: that of the model
 * (LangGraph's `MemorySaver`) and that of the tested saver. For each list, the caller creates the
 * new elements (`fresh`).
 */
function changed(list: unknown[], edit: Edit, fresh: unknown[]): unknown[] {
  const index = list.length === 0 ? 0 : edit.at % list.length;
  switch (edit.how) {
    case 'append':
      return [...list, ...fresh];
    case 'prepend':
      return [...fresh, ...list];
    case 'insert':
      return list.toSpliced(index, 0, ...fresh);
    case 'remove':
      return list.toSpliced(index, 1);
    case 'replace':
      return list.length === 0 ? [] : list.with(index, fresh[0]);
    case 'cut':
      return list.slice(0, index);
    case 'drop':
      return list.slice(index);
    case 'swap':
      return [...list.slice(index), ...list.slice(0, index)];
    case 'double':
      return [...list, ...list.slice(index, index + 20)];
    case 'mutate':
      return list.map((item, position) => (position === index ? mutated(item) : item));
  }
}

function mutated(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    if ('content' in value) (value as { content: unknown }).content = 'changed';
    else (value as { text: unknown }).text = 'changed';
  }
  return value;
}

/**
 * A thread in the database, and the same thread in a model, which is LangGraph's `MemorySaver`. The
 * state in the database must equal the state in the model.
 */
class ModelledThread {
  readonly #db = client.db('properties');
  #cache = new StateCache();
  #model = new MemorySaver();
  #run = 0;
  #copies = 0;
  #commits = 0;
  #last: unknown[] = [];

  constructor(private threadId: string) {}

  /**
   * Applies an action to the thread and to the model, and compares their states. With `crash: 3`,
   * the writer's connection is closed at its third MongoDB command. If the database then has the
   * state from before the action, the model is reset to that state too.
   */
  async act(action: Action, crash?: number): Promise<void> {
    const before = copyOf(this.#model);
    const dying = await MongoClient.connect(server.address, { monitorCommands: true });
    let remaining = crash ?? Number.POSITIVE_INFINITY;
    let died: Promise<void> | undefined;
    dying.on('commandStarted', () => {
      if ((remaining -= 1) === 0) died = dying.close(true);
    });
    try {
      await this.#act(action, dying);
    } catch (error) {
      if (died === undefined) throw error;
    }
    await dying.close(true);
    if (died !== undefined) {
      await client.db().admin().command({ killAllSessions: [] });
      this.#cache = new StateCache();
      const actual = await readAll(new MongoSaver({ client, db: this.#db, tenant }), this.threadId);
      if (actual === (await readAll(before, 't'))) this.#model = before;
    }
    await this.check();
  }

  async check(): Promise<void> {
    const actual = await readAll(new MongoSaver({ client, db: this.#db, tenant }), this.threadId);
    expect(actual).toBe(await readAll(this.#model, 't'));
  }

  async #act(action: Action, writer: MongoClient): Promise<void> {
    switch (action.kind) {
      case 'put':
        return this.#put(action, writer);
      case 'writes':
        return this.#writes(action, writer);
      case 'mutateLast':
        // Changes the object of one element in memory, after the last `put` has stored the list.
        // Nothing commits the change, so no reader may see it.
        if (this.#last.length > 0) mutated(this.#last[action.at % this.#last.length]);
        return;
      case 'delete':
        await this.#model.deleteThread('t');
        return new MongoSaver({ client: writer, db: writer.db('properties'), tenant }).deleteThread(this.threadId);
      case 'prune':
        keepOnlyHead(this.#model);
        return keepLatest({ client, db: this.#db, tenant }, this.threadId);
      case 'copy': {
        const to = `${this.threadId}-${(this.#copies += 1)}`;
        await copyState({ client, db: this.#db }, { tenant, from: this.threadId, to });
        await new MongoSaver({ client, db: this.#db, tenant }).deleteThread(this.threadId);
        this.threadId = to;
      }
    }
  }

  async #put({ from, edit, as }: Action & { kind: 'put' }, writer: MongoClient): Promise<void> {
    const ids = idsOf(this.#model);
    const parent = ids[Math.min(from, ids.length - 1)];
    const checkpoint = { id: uuid6(0), number: (this.#commits += 1) };
    const freshSizes = 'sizes' in edit ? edit.sizes : [edit.at];
    // Creates the same new elements twice, because the model and the tested saver may both keep the
    // objects that they get.
    const firstNumber = elements;
    const forModel = freshSizes.map(element);
    elements = firstNumber;
    const forThread = freshSizes.map(element);
    await this.#commit(this.#model, 't', parent, checkpoint, (list) => changed(list, edit, forModel));
    const { saver, end } = await this.#open(as, writer);
    this.#last = await this.#commit(saver, this.threadId, parent, checkpoint, (list) => changed(list, edit, forThread));
    await end();
  }

  async #commit(
    saver: Saver,
    threadId: string,
    parent: string | undefined,
    { id, number }: { id: string; number: number },
    change: (list: unknown[]) => unknown[],
  ): Promise<unknown[]> {
    const before = parent === undefined ? undefined : await saver.getTuple(configOf(threadId, parent));
    const values = before?.checkpoint.channel_values ?? {};
    const list = change((values['messages'] as unknown[] | undefined) ?? []);
    // The model and the tested saver get the same channel versions.
    const version = `${String(number).padStart(12, '0')}.000000000000`;
    const versions = { other: version, ...before?.checkpoint.channel_versions, messages: version };
    const checkpoint = { ...emptyCheckpoint(), id, channel_versions: versions };
    const metadata = { source: 'loop', step: 1, parents: {} } as const;
    const newVersions: Record<string, string> =
      before === undefined ? { other: version, messages: version } : { messages: version };
    const channelValues = { other: 'kept', ...values, messages: list };
    await saver.put(
      configOf(threadId, parent),
      { ...checkpoint, channel_values: channelValues },
      metadata,
      newVersions,
    );
    return list;
  }

  async #writes({ at, size, as }: Action & { kind: 'writes' }, writer: MongoClient): Promise<void> {
    const ids = idsOf(this.#model);
    const id = ids[at % Math.max(1, ids.length)];
    if (id === undefined) return;
    const writes: [string, unknown][] = [
      ['messages', [element(size)]],
      ['other', size],
    ];
    const task = `task-${at % 3}`;
    await this.#model.putWrites(configOf('t', id), writes, task);
    const { saver, end } = await this.#open(as, writer);
    await saver.putWrites(configOf(this.threadId, id), writes, task);
    await end();
  }

  async #open(
    as: 'step' | 'edit',
    writer: MongoClient,
  ): Promise<{ saver: BaseCheckpointSaver<string>; end: () => Promise<void> }> {
    const options = { client: writer, db: writer.db('properties'), tenant };
    if (as === 'edit') return { saver: new MongoSaver({ ...options, exclusive: true }), end: async () => undefined };
    const head = await new MongoHeads(this.#db).readHead(tenant, this.threadId);
    const fence = encodeFence({ run: (this.#run += 1), step: 1, attempt: 1 });
    const hooks = { beforeCommit: async () => 0, onCommit: () => undefined, hasEntry: () => false };
    const saver = new StepSaver({
      ...options,
      ...hooks,
      threadId: this.threadId,
      runId: 'r',
      fence,
      head,
      cache: this.#cache,
      tail: 0,
    });
    const end = async () => {
      await saver.flush();
      saver.remember();
    };
    return { saver, end };
  }
}

function configOf(threadId: string, id?: string) {
  return { configurable: { thread_id: threadId, checkpoint_ns: '', ...(id && { checkpoint_id: id }) } };
}

/** Returns the ids of the model's checkpoints, newest first. */
function idsOf(model: MemorySaver): string[] {
  return Object.keys(model.storage['t']?.[''] ?? {})
    .sort()
    .reverse();
}

/**
 * Returns everything that a saver can read of a thread as one string: the newest checkpoint and all
 * checkpoints, with values and pending writes.
 */
async function readAll(saver: Saver, threadId: string): Promise<string> {
  const tuples: unknown[] = [];
  for await (const tuple of saver.list(configOf(threadId))) tuples.push(await readable(saver, tuple));
  const head = await saver.getTuple(configOf(threadId));
  return JSON.stringify([head && (await readable(saver, head)), ...tuples]);
}

type Tuple = NonNullable<Awaited<ReturnType<Saver['getTuple']>>>;

async function readable(saver: Saver, { checkpoint, metadata, pendingWrites, parentConfig }: Tuple) {
  const parent = parentConfig?.configurable?.checkpoint_id as string | undefined;
  const { messages, other } = checkpoint.channel_values;
  const text = async (value: unknown) => new TextDecoder().decode((await saver.serde.dumpsTyped(value))[1]);
  return {
    id: checkpoint.id,
    parent,
    step: metadata?.step,
    values: await text([messages, other]),
    writes: await text(pendingWrites),
  };
}

function copyOf(model: MemorySaver): MemorySaver {
  const copy = new MemorySaver();
  copy.storage = structuredClone(model.storage);
  copy.writes = structuredClone(model.writes);
  return copy;
}

function keepOnlyHead(model: MemorySaver): void {
  const [head] = idsOf(model);
  const kept = model.storage['t']?.[''];
  for (const id of Object.keys(kept ?? {})) if (id !== head) delete kept?.[id];
  for (const key of Object.keys(model.writes)) if (!key.includes(String(head))) delete model.writes[key];
}

/** The first action of each sequence. Its list is long enough to be stored in several chunks. */
const FIRST_ACTION: Action = {
  kind: 'put',
  from: 0,
  edit: { how: 'append', at: 0, sizes: Array.from({ length: 24 }, (_, index) => 2_000 + index) },
  as: 'step',
};

let threads = 0;

/**
 * Defines tests that apply random sequences of actions to the state of threads. `runs` is the
 * number of sequences: `complete` without crashes, `crashed` with crashes of the writer.
 */
export function describeStateProperties(runs: { complete: number; crashed: number }, timeoutMs: number): void {
  describe('the state of a thread', () => {
    useServer();

    it(
      'equals the state in LangGraph’s MemorySaver after any sequence of actions',
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 25 }), async (actions) => {
            const thread = new ModelledThread(`t${(threads += 1)}`);
            for (const action of [FIRST_ACTION, ...actions]) await thread.act(action);
          }),
          { numRuns: runs.complete, endOnFailure: true },
        );
      },
      timeoutMs,
    );

    it(
      'is the state from before or after an action if the writer dies at any command of that action',
      async () => {
        const crash = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined });
        await fc.assert(
          fc.asyncProperty(fc.array(fc.tuple(action, crash), { minLength: 4, maxLength: 15 }), async (actions) => {
            const thread = new ModelledThread(`t${(threads += 1)}`);
            await thread.act(FIRST_ACTION);
            for (const [action, crashAt] of actions) await thread.act(action, crashAt);
          }),
          { numRuns: runs.crashed, endOnFailure: true },
        );
      },
      timeoutMs,
    );
  });
}
