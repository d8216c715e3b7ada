import { clearTimeout, setTimeout } from 'node:timers';
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
   * The thread's head (its newest checkpoints, revision and fence) when the step began. If another
   * writer has changed the head since then, the first commit fails with `fence_lost`.
   */
  head: Head;
  /** Offset of the thread's last event when the step began. */
  tail: number;
  /**
   * Marks injected messages as taken, in the transaction that commits the state with these
   * messages.
   */
  takeInjections?: (session: ClientSession, runIds: string[]) => Promise<void>;
  onCommitted: (largeValues: LargeValues) => void;
}

/** The documents and heads that one call of `put` or `putWrites` adds to the next commit. */
interface PendingPut {
  /** Documents whose keys are not in the database. */
  inserts: StateDocument[];
  /** Documents whose keys may be in the database already. */
  merges: StateDocument[];
  /** New entries of the head, by namespace. `null` removes the entry of a namespace. */
  heads?: Record<string, NamespaceHead | null>;
  largeValues?: LargeValues;
  /** The insert of large values. It must end before the commit. */
  early?: Promise<void>;
  /** Ids of the injected messages that this put adds to the state. */
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
  #fence: Fence;

  constructor(options: StepCommitsOptions) {
    this.#options = options;
    this.#heads = { ...options.head.heads };
    this.#rev = options.head.rev;
    this.#fence = options.fence;
    this.#tail = options.tail;
  }

  /**
   * The thread's head. Its checkpoints are the newest ones of all puts, including puts that are not
   * committed yet. Its revision is that of the last commit.
   */
  get head(): Head {
    return { rev: this.#rev, fence: this.#fence, heads: { ...this.#heads } };
  }

  headOf(ns: string): NamespaceHead | undefined {
    return this.#heads[ns];
  }

  /**
   * Id of the run into which a client has injected a message, as far as the last commit showed.
   * Stays set after the run has taken the message.
   */
  get steeredRun(): string | undefined {
    return this.#steeredRun;
  }

  /** Continues with the fence of the next step of the same run. */
  advance(fence: Fence): void {
    this.#fence = fence;
  }

  add(put: PendingPut): void {
    for (const [ns, head] of Object.entries(put.heads ?? {})) {
      if (head === null) delete this.#heads[ns];
      else this.#heads[ns] = head;
    }
    this.#pending.push(put);
  }

  /** Commits the pending puts after a delay, unless an earlier commit is scheduled already. */
  flushWithin(delayMs: number): void {
    const due = performance.now() + delayMs;
    if (due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    // A failure of this flush is kept, and the next flush throws it.
    this.#timer = setTimeout(() => void this.flush().catch(() => undefined), delayMs);
  }

  /**
   * Commits all puts that were added so far. Awaits `beforeHead` before it moves the head.
   * `beforeHead` resolves to the offset of the thread's last event. After a failed commit, each
   * later call throws the same error. Errors: `fence_lost`, `unavailable`, `too_large`.
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
    // If an earlier commit failed, nothing awaits `beforeHead`. A rejection of `beforeHead` must
    // not end the process then.
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
      return { heads, fence: this.#fence, rev: this.#rev };
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
