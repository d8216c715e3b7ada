import { describe, expect, it } from '@jest/globals';
import { AsyncBatchedStore, InMemoryStore, type Operation } from '@langchain/langgraph-checkpoint';
import { serveStore } from '../../steps/store-queue.js';

/** Records the sizes of the batches that reach the store. */
class CountedStore extends InMemoryStore {
  readonly batches: number[] = [];

  override batch<Op extends readonly Operation[]>(operations: Op) {
    this.batches.push(operations.length);
    return super.batch(operations);
  }
}

function open() {
  const inner = new CountedStore();
  const store = new AsyncBatchedStore(inner);
  store.start();
  serveStore(store);
  return { inner, store };
}

describe('the store of a running graph', () => {
  it('stores, finds and stops although a node has replaced the global timers', async () => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (() => ({})) as unknown as typeof setTimeout;
    try {
      const { store } = open();
      await store.put(['q'], 'a', { n: 1 });
      expect((await store.get(['q'], 'a'))?.value).toEqual({ n: 1 });
      await store.stop();
    } finally {
      globalThis.setTimeout = setTimeout;
    }
  });

  it('sends operations that begin together as one batch, and later ones after them', async () => {
    const { inner, store } = open();
    const puts = [store.put(['q'], 'a', { n: 1 }), store.put(['q'], 'b', { n: 2 })];
    await Promise.all(puts);
    await store.get(['q'], 'a');
    expect(inner.batches).toEqual([2, 1]);
  });

  it('sends what a node has not awaited before it stops', async () => {
    const { inner, store } = open();
    void store.put(['q'], 'a', { n: 1 });
    await store.stop();
    expect((await inner.get(['q'], 'a'))?.value).toEqual({ n: 1 });
  });

  it('rejects the operations of a batch that fails', async () => {
    const { inner, store } = open();
    inner.batch = () => Promise.reject(new Error('the database is down'));
    await expect(store.get(['q'], 'a')).rejects.toThrow('the database is down');
    await store.stop();
  });

  it('leaves a store of another kind as it is', () => {
    for (const other of [undefined, null, {}, new InMemoryStore()]) expect(() => serveStore(other)).not.toThrow();
  });
});
