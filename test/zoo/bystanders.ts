import type { Client } from '@langchain/langgraph-sdk';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { executions, type Ledger } from './ledger.js';

/**
 * A turn of a bystander. `begun`: in ms of `performance.now()`. `ms`: the time until the client had
 * its answer.
 */
export interface Turn {
  run: string;
  begun: number;
  ms: number;
}

const CONVERSATIONS = 20;
/**
 * A person reads an answer before the next message, for this time at random, in ms. Without a pause
 * 20 conversations would use the whole machine, and measure only their own queue.
 */
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 3_000;
const DONE = ['first', 'second'];

/** Resolves when a person has read an answer, or when the signal fires. */
export async function pause(signal?: AbortSignal): Promise<void> {
  const ms = SHORTEST_PAUSE_MS + Math.random() * (LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS);
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Conversations with the graph `good`, which go on while an animal is visited. */
export class Bystanders {
  readonly turns: Turn[] = [];
  readonly failures: string[] = [];
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #conversations: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly client: Client,
    private readonly ledger: Ledger,
    private readonly count = CONVERSATIONS,
  ) {}

  start(): void {
    // All 20 conversations listen to this signal.
    setMaxListeners(this.count, this.#stop.signal);
    this.#conversations = Promise.all(Array.from({ length: this.count }, () => this.#converse()));
  }

  /** Lets the turns that have begun end, then stops. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#conversations;
  }

  /** Resolves when `count` more turns have ended. Returns them. */
  async next(count: number): Promise<Turn[]> {
    const from = this.turns.length;
    while (this.turns.length < from + count && !this.#stop.signal.aborted) {
      await new Promise<void>((wake) => this.#waiting.add(wake));
    }
    return this.turns.slice(from);
  }

  /** Returns what went wrong: failed turns, and nodes that were not executed exactly once. */
  faults(): string[] {
    const repeated = this.turns.flatMap(({ run }) => {
      const counts = executions(this.ledger.read([run]));
      return JSON.stringify(counts) === '{"first":1,"second":1}' ? [] : [`run ${run}: ${JSON.stringify(counts)}`];
    });
    return [...this.failures, ...repeated];
  }

  async #converse(): Promise<void> {
    const { signal } = this.#stop;
    const { thread_id: threadId } = await this.client.threads.create();
    for (let turn = 1; !signal.aborted; turn += 1) {
      await this.#turn(threadId, turn).catch((error: unknown) => this.failures.push(String(error)));
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
      await pause(signal);
    }
  }

  async #turn(threadId: string, turn: number): Promise<void> {
    const begun = performance.now();
    let run = '';
    const onRunCreated = ({ run_id }: { run_id: string }) => void (run = run_id);
    const values = await this.client.runs.wait(threadId, 'good', { input: {}, onRunCreated });
    const ms = performance.now() - begun;
    const { done } = values as { done?: string[] };
    if (done?.length !== DONE.length * turn) this.failures.push(`turn ${turn}: ${JSON.stringify(values)}`);
    this.turns.push({ run, begun, ms });
  }
}
