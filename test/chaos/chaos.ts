import { readFileSync } from 'node:fs';
import { ApiClient } from './api-client.js';
import { readThread, replay } from './aftermath.js';
import { check } from './checker.js';
import { Clock } from './clock.js';
import { Conversation, type ConversationContext } from './conversation.js';
import { planFaults, playFaults, type FaultEvent, type FaultKind } from './faults.js';
import { isMischief } from './mischief.js';
import { Random } from './random.js';
import { RecoveryWatch, percentile } from './recovery-watch.js';
import type { LedgerRecord, SeenRecord } from './records.js';
import { readAsk } from './script.js';
import type { Violation } from './violation.js';
import { answerByTemporal, startWorld, type ChaosWorld } from './world.js';

export interface ChaosOptions {
  seed: number;
  minutes: number;
  /** Number of concurrent conversations. */
  conversations: number;
  /** Number of concurrent conversations whose agent misbehaves, beside the others. */
  animals: number;
  faults: readonly FaultKind[];
  workers: number;
  apis: number;
  folder: string;
  toolsDir: string;
  say: (line: string) => void;
  /** If this signal is aborted, the program stops at once. */
  signal?: AbortSignal;
}

export interface ChaosReport {
  seed: number;
  minutes: number;
  conversations: number;
  messages: number;
  runs: number;
  effects: number;
  /** Number of runs of misbehaving agents, by misbehaviour and status, such as `exit error`. */
  misbehaved: Record<string, number>;
  /** Highest number of executions of a misbehaving node in one run. */
  most_executions: number;
  /** Number of faults by kind of process and action, such as `worker kill`. */
  faults: Record<string, number>;
  attempts: number;
  /** Number of unhandled rejections in workers and API processes. Their logs have the details. */
  unheard: number;
  reconnects: number;
  /**
   * Median of the recovery times after faults, in ms. A recovery time is the time from the end of a
   * fault until all conversations that were active when it ended have made progress again.
   */
  recovered_p50_ms: number | null;
  recovered_max_ms: number | null;
  turn_p50_ms: number | null;
  turn_max_ms: number | null;
  violations: Violation[];
}

/** Time after the last fault within which all accepted runs must end, in ms. */
const SETTLE_MS = 90_000;
const READERS = 4;
/** First letter of the names of conversations with a misbehaving agent. */
const ANIMAL = 'a';

/** Runs conversations while faults happen, lets them end, and checks the results. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const crashes: LedgerRecord[] = [];
  const onCrash = (name: string, detail: string) => {
    options.say(detail);
    crashes.push({ type: 'trouble', kind: 'crash', conversation: name, threadId: '', detail });
  };
  const world = await startWorld({ ...options, onCrash });
  try {
    return await Promise.race([new Chaos(options, world, crashes).run(), stopped(options.signal)]);
  } finally {
    await world.stop();
  }
}

function stopped(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Error('stopped before its end'));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop);
  });
}

class Chaos {
  readonly #clock = new Clock();
  readonly #watch = new RecoveryWatch();
  readonly #talked: Conversation[] = [];
  readonly #seen: SeenRecord[] = [];
  #lastSent: Promise<unknown> = Promise.resolve();
  readonly #recording = new Set<Promise<unknown>>();

  constructor(
    private readonly options: ChaosOptions,
    private readonly world: ChaosWorld,
    private readonly crashes: LedgerRecord[],
  ) {}

  async run(): Promise<ChaosReport> {
    const { seed, minutes, faults, conversations, animals, say } = this.options;
    const durationMs = minutes * 60_000;
    const startedAt = Date.now();
    say(
      `${conversations} conversations, ${animals} with a misbehaving agent, ${minutes} minutes, seed ${seed}; logs in ${this.options.folder}`,
    );
    const runner = playFaults(planFaults(seed, durationMs, faults), this.world.victims, (event) => {
      const { action, victim, beganAt, endedAt } = event;
      this.#watch.faultEnded();
      this.#record({ type: 'fault', victim, action, beganAt, endedAt });
      say(`  after ${((beganAt - startedAt) / 1000).toFixed(1)} s: ${action} ${victim} for ${endedAt - beganAt} ms`);
    });
    const slots = (count: number, letter: string) =>
      Array.from({ length: count }, (_, slot) => this.#talkOn(`${letter}${slot + 1}`, letter === ANIMAL));
    const talks = [...slots(conversations, 'c'), ...slots(animals, ANIMAL)];
    await this.#clock.pause(durationMs);
    this.#clock.stop();
    await runner.done;
    const timer = setTimeout(() => this.#clock.giveUp(), SETTLE_MS);
    await Promise.all(talks);
    clearTimeout(timer);
    say(`all ${this.#talked.length} conversations are over; reading them again`);
    await this.#readAgain();
    await Promise.all(this.#recording);
    return this.#report([...this.crashes, ...this.#ledger()], runner.events);
  }

  /** Runs one conversation after another until the time is over. */
  async #talkOn(slot: string, isMisbehaving: boolean): Promise<void> {
    for (let turn = 1; !this.#clock.stopped; turn += 1) {
      const name = `${slot}-${turn}`;
      const conversation = new Conversation(name, this.#context(name, isMisbehaving));
      this.#talked.push(conversation);
      // A misbehaving agent makes no progress for reasons of its own.
      if (!isMisbehaving) this.#watch.began(name);
      await conversation.talk();
      if (!isMisbehaving) this.#watch.ended(name);
    }
  }

  #context(name: string, isMisbehaving: boolean): ConversationContext {
    const random = new Random(this.options.seed, name);
    const clock = this.#clock;
    return {
      random,
      clock,
      api: new ApiClient(this.world.apiUrls, random, clock),
      record: (record) => this.#record(record),
      progress: (conversation) => this.#watch.progress(conversation),
      isMisbehaving,
      wasExecuted: (runId) => this.#ledger().some((record) => record.type === 'execution' && record.runId === runId),
      answerByTemporal: (threadId, value) => answerByTemporal(this.world.temporal, clock, threadId, value),
    };
  }

  #record(record: LedgerRecord): void {
    // A `seen` record says what a client received of a run. It goes to the ledger later, when the
    // events of the run have been read a second time (`replay`).
    if (record.type === 'seen') {
      this.#seen.push(record);
      return;
    }
    if (record.type === 'trouble') this.options.say(`  ${record.conversation}: ${record.kind}: ${record.detail}`);
    this.#toLedger(record);
  }

  /**
   * Sends a record to the ledger, after all earlier records. The checker takes the order of the
   * records in the ledger as the order in which the messages were accepted.
   */
  #toLedger(record: LedgerRecord): void {
    const sent = this.#lastSent
      .then(() => fetch(`${this.world.ledgerUrl}/records`, { method: 'POST', body: JSON.stringify(record) }))
      .catch((error: unknown) => {
        const detail = `the ledger did not take a record: ${String((error as Error).cause ?? error)}`;
        this.crashes.push({ type: 'trouble', kind: 'ledger', conversation: '', threadId: '', detail });
      });
    this.#lastSent = sent;
    this.#recording.add(sent);
  }

  /** Returns all records of the ledger. */
  #ledger(): LedgerRecord[] {
    const lines = readFileSync(this.world.ledgerFile, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as LedgerRecord);
  }

  async #readAgain(): Promise<void> {
    // A new clock, because the clock of the conversations may have expired. All faults are over, so
    // all requests must end within the time of the new clock.
    const clock = new Clock();
    const timer = setTimeout(() => clock.giveUp(), SETTLE_MS);
    const random = new Random(this.options.seed, 'aftermath');
    const api = new ApiClient(this.world.apiUrls, random, clock);
    const threads = this.#talked.map((conversation) => async () => {
      this.#record(await readThread(api, conversation.name, conversation.threadId));
    });
    const runs = this.#seen.map((seen) => async () => {
      const again = seen.live === undefined ? {} : { replay: await replay(api, clock, random, seen) };
      this.#toLedger({ ...seen, ...again });
    });
    const troubles = await inParallel([...threads, ...runs], READERS);
    clearTimeout(timer);
    for (const detail of troubles)
      this.#record({ type: 'trouble', kind: 'aftermath', conversation: '', threadId: '', detail });
  }

  #report(records: LedgerRecord[], events: FaultEvent[]): ChaosReport {
    const { seed, minutes } = this.options;
    const count = (type: LedgerRecord['type']) => records.filter((record) => record.type === type).length;
    const faults: Record<string, number> = {};
    for (const { kind, action } of events) faults[`${kind} ${action}`] = (faults[`${kind} ${action}`] ?? 0) + 1;
    const turns = this.#seen.filter(({ conversation }) => !conversation.startsWith(ANIMAL)).map(({ tookMs }) => tookMs);
    const metadata = this.#seen.flatMap(({ live = [] }) => live.filter(({ event }) => event === 'metadata'));
    return {
      seed,
      minutes,
      conversations: this.#talked.length,
      messages: count('accepted'),
      runs: count('seen'),
      effects: count('effect'),
      ...countMischief(records),
      faults,
      attempts: metadata.filter(({ data }) => (JSON.parse(data) as { attempt?: number }).attempt !== 1).length,
      unheard: this.world.logged('unhandled rejection'),
      reconnects: this.#seen.reduce((sum, { connections }) => sum + Math.max(0, connections - 1), 0),
      recovered_p50_ms: percentile(this.#watch.times, 0.5),
      recovered_max_ms: percentile(this.#watch.times, 1),
      turn_p50_ms: percentile(turns, 0.5),
      turn_max_ms: percentile(turns, 1),
      violations: check(records),
    };
  }
}

function countMischief(records: readonly LedgerRecord[]): Pick<ChaosReport, 'misbehaved' | 'most_executions'> {
  const misbehaved: Record<string, number> = {};
  const executions = new Map<string, number>();
  const kinds = new Map<string, string>();
  for (const record of records) {
    if (record.type === 'execution') executions.set(record.runId, (executions.get(record.runId) ?? 0) + 1);
    if (record.type === 'accepted' && record.part === 'ask') kinds.set(record.runId, readAsk(record.text).kind);
    if (record.type !== 'seen' || !isMischief(kinds.get(record.runId) ?? '')) continue;
    const key = `${kinds.get(record.runId)} ${record.status}`;
    misbehaved[key] = (misbehaved[key] ?? 0) + 1;
  }
  return { misbehaved, most_executions: Math.max(0, ...executions.values()) };
}

/** Runs all tasks, at most `width` in parallel. Returns the errors of the failed tasks as text. */
async function inParallel(tasks: (() => Promise<void>)[], width: number): Promise<string[]> {
  const left = [...tasks];
  const failed: string[] = [];
  const worker = async () => {
    for (let task = left.shift(); task !== undefined; task = left.shift()) {
      await task().catch((error: unknown) => failed.push(String(error)));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return failed;
}
