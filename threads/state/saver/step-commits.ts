import type { ClientSession } from 'mongodb';
import { asPlatformError } from '../../../database/index.js';
import type { Fence, Head, NamespaceHead } from '../../../protocol/index.js';
import type { StateCollection } from '../state-collection.js';
import type { StateDocument } from '../state-documents.js';
import type { LargeValues } from '../values/channel-values.js';
import { lastOfEachKey } from './step-reads.js';

interface StepCommitsOptions {
  state: StateCollection;
  threadId: string;
  fence: Fence;
  /**
   * The head at which the step began. The first commit fails with `fence_lost` if another writer
   * has moved the head since.
   */
  head: Head;
  /** Offset of the thread's last event. */
  tail: number;
  /** Marks messages as taken, in the transaction that commits the state with these messages. */
  takeInjections?: (session: ClientSession, runIds: string[]) => Promise<void>;
  onCommitted: (largeValues: LargeValues) => void;
}

/** The documents and heads that one put of LangGraph adds to the next commit. */
interface PendingPut {
  /** Documents with new keys. */
  inserts: StateDocument[];
  /** Documents whose keys may be stored already. */
  merges: StateDocument[];
  /** New heads by namespace. `null` removes the head of a namespace. */
  heads?: Record<string, NamespaceHead | null>;
  largeValues?: LargeValues;
  /** A write that must end before the commit. */
  early?: Promise<void>;
  /** Run ids of the messages that the state of this put contains for the first time. */
  injected?: string[];
}

/** Collects the puts of one step and commits them, one transaction after another. */
export class StepCommits {
  readonly #options: StepCommitsOptions;
  readonly #heads: Record<string, NamespaceHead>;
  #rev: number;
  #tail: number;
  #pending: PendingPut[] = [];
  #flushing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Infinity;
  #failure: { error: unknown } | undefined;
  #steeredRun: string | undefined;

  constructor(options: StepCommitsOptions) {
    this.#options = options;
    this.#heads = { ...options.head.heads };
    this.#rev = options.head.rev;
    this.#tail = options.tail;
  }

  /** The head after the last put, with the revision after the last commit. */
  get head(): Head {
    return { rev: this.#rev, fence: this.#options.fence, heads: { ...this.#heads } };
  }

  headOf(ns: string): NamespaceHead | undefined {
    return this.#heads[ns];
  }

  /** Id of the run that a message waited for at the last commit. */
  get steeredRun(): string | undefined {
    return this.#steeredRun;
  }

  add(put: PendingPut): void {
    for (const [ns, head] of Object.entries(put.heads ?? {})) {
      if (head === null) delete this.#heads[ns];
      else this.#heads[ns] = head;
    }
    this.#pending.push(put);
  }

  /** Flushes after a delay, unless another flush is scheduled before that time. */
  flushWithin(delayMs: number): void {
    const due = performance.now() + delayMs;
    if (due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    // A failure is kept, and the next flush throws it.
    this.#timer = setTimeout(() => void this.flush().catch(() => undefined), delayMs);
  }

  /**
   * Commits all puts that were added so far. `beforeHead` is awaited before the head moves. It
   * resolves to the offset of the thread's last event. Errors: `fence_lost`, or the failure of an
   * earlier commit.
   */
  async flush(beforeHead?: Promise<number>): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDue = Infinity;
    const before = this.#flushing;
    const own = (async () => {
      await before.catch(() => undefined);
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#commitPending(beforeHead);
    })();
    this.#flushing = own;
    // If an earlier commit failed, `beforeHead` is not awaited. If it rejects then, the rejection
    // must not end the process.
    beforeHead?.catch(() => undefined);
    await own;
  }

  async #commitPending(beforeHead: Promise<number> | undefined): Promise<void> {
    const puts = this.#pending.splice(0);
    if (puts.length === 0) {
      await beforeHead;
      return;
    }
    const heads = Object.assign({}, ...puts.map((put) => put.heads)) as Record<string, NamespaceHead | null>;
    const injected = puts.flatMap((put) => put.injected ?? []);
    const head = async () => {
      await Promise.all(puts.flatMap(({ early }) => early ?? []));
      this.#tail = (await beforeHead) ?? this.#tail;
      for (const moved of Object.values(heads)) if (moved !== null) moved.tail = this.#tail;
      return { heads, fence: this.#options.fence, rev: this.#rev };
    };
    const { state, threadId, takeInjections, onCommitted } = this.#options;
    try {
      this.#steeredRun = await state.commit(threadId, {
        inserts: lastOfEachKey(puts.flatMap((put) => put.inserts)),
        merges: puts.flatMap((put) => put.merges),
        ...(injected.length > 0 && { beside: async (session) => takeInjections?.(session, injected) }),
        head,
      });
      this.#rev += 1;
      onCommitted(puts.flatMap(({ largeValues }) => largeValues ?? []));
    } catch (cause) {
      const error = asPlatformError(cause, `state of thread ${threadId} cannot be stored`);
      this.#failure = { error };
      throw error;
    }
  }
}
