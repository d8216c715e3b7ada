import { setTimeout } from 'node:timers';
import type { BaseStore, Operation } from '@langchain/langgraph-checkpoint';

interface Entry {
  operation: Operation;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/** The members of LangGraph's `AsyncBatchedStore` that are read or replaced. */
interface BatchedStore {
  store: BaseStore;
  queue: Map<number, Entry>;
  running: boolean;
  start(): void;
  stop(): Promise<void>;
  enqueueOperation(operation: Operation): Promise<unknown>;
}

/**
 * Makes the store of a running graph send its operations with a timer of our own, and only when
 * there are any. LangGraph looks for operations with the global `setTimeout`, every millisecond of
 * the turn. If a node has replaced that function, LangGraph would wait for ever at the end of each
 * turn in this process.
 */
export function serveStore(store: unknown): void {
  if (!isBatchedStore(store)) return;
  const enqueue = store.enqueueOperation.bind(store);
  // One batch after another, so that an operation finds what an earlier one has stored.
  let last = Promise.resolve();
  let isDue = false;

  const send = () => {
    isDue = false;
    last = last.then(() => sendAll(store));
    return last;
  };
  const own: Partial<BatchedStore> = {
    start: () => undefined,
    enqueueOperation: (operation) => {
      const result = enqueue(operation);
      // Waits as long as LangGraph, so that a batch has the same operations.
      if (!isDue) setTimeout(send, 0);
      isDue = true;
      return result;
    },
    // A node may not have awaited its last operations.
    stop: send,
  };
  Object.assign(store, own);
  // Ends LangGraph's own loop.
  store.running = false;
  if (store.queue.size > 0) void send();
}

/** Sends all waiting operations as one batch. Never rejects. */
async function sendAll({ store, queue }: BatchedStore): Promise<void> {
  const entries = [...queue.values()];
  queue.clear();
  if (entries.length === 0) return;
  try {
    const results: unknown[] = await store.batch(entries.map(({ operation }) => operation));
    for (const [index, { resolve }] of entries.entries()) resolve(results[index]);
  } catch (error) {
    for (const { reject } of entries) reject(error);
  }
}

/** Returns whether the store has the members that are needed. Other versions stay as they are. */
function isBatchedStore(store: unknown): store is BatchedStore {
  if (typeof store !== 'object' || store === null) return false;
  const { store: inner, queue, enqueueOperation, running } = store as Partial<BatchedStore>;
  return (
    typeof inner?.batch === 'function' &&
    queue instanceof Map &&
    typeof enqueueOperation === 'function' &&
    typeof running === 'boolean'
  );
}
