import { once } from 'node:events';
import type { Conversations } from '../../conversations/ports.js';
import {
  ColloquyError,
  CONTROL_EVENTS,
  encodeFence,
  errorCode,
  serviceCaller,
  type AttemptData,
  type Fence,
  type Caller,
  type Interrupt,
  type Run,
  type RunError,
} from '../../protocol/index.js';
import type { EventLog, RunLog } from '../../streams/index.js';
import type { ThreadStore } from '../../threads/index.js';
import type { SubmitRun } from '../../workflows/contract.js';

/**
 * What a script of a test can see and do in a run. An event is durable when `writeEvent` resolves.
 */
export interface ScriptedTurn {
  run: Run;
  /** Aborted when the run is cancelled. */
  signal: AbortSignal;
  /** Appends an event. Returns its offset. */
  writeEvent(event: string, data: unknown): Promise<number>;
  /**
   * Starts the next attempt of the run: writes the event `run.attempt`. This event supersedes
   * earlier events: those in the ranges `superseded`, and those between the offset `observedTail`
   * and `run.attempt` itself. `observedTail` is the offset of the last event in the thread's log
   * when the new attempt began. Default: the current tail.
   */
  nextAttempt(superseded: [first: number, last: number][], observedTail?: number): Promise<void>;
}

export interface ScriptedTurnEnd {
  error?: RunError;
  interrupts?: Record<string, Interrupt[]>;
}

export type TurnScript = (turn: ScriptedTurn) => Promise<ScriptedTurnEnd | void>;

/** A script that works until its run is cancelled. */
export async function untilAborted({ signal }: ScriptedTurn): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

interface Lane {
  ordinal: number;
  waiting: SubmitRun[];
  current?: { runId: string; abort: AbortController };
  working: Promise<void>;
}

/**
 * Conversations without Temporal. Instead of a graph, each run executes the function `script` of
 * the test. The queue, the records, and all multitask strategies except `rollback` imitate those of
 * the conversation workflow.
 */
export class ScriptedConversations implements Conversations {
  script: TurnScript = async () => undefined;
  /** The errors that the next calls of `submit` throw, one for each call. */
  readonly refusals: ColloquyError[] = [];
  readonly closed: string[] = [];
  readonly #lanes = new Map<string, Lane>();
  readonly #accepted = new Map<string, string>();

  constructor(
    private readonly threads: ThreadStore,
    private readonly events: EventLog,
  ) {}

  submit: Conversations['submit'] = async (caller, threadId, run) => {
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    const isAccepted = this.#accepted.has(run.runId);
    if (isAccepted) return { runId: run.runId, position: 0, duplicate: true };
    const lane = this.#lane(threadId);
    const position = lane.waiting.length + (lane.current ? 1 : 0);
    if (run.strategy === 'reject' && position > 0) throw new ColloquyError('conflict', `thread ${threadId} is busy`);
    if (run.strategy === 'interrupt') lane.current?.abort.abort();
    this.#accepted.set(run.runId, threadId);
    lane.waiting.push(run);
    lane.working = lane.working.then(() => this.#work(caller, threadId, lane));
    return { runId: run.runId, position, duplicate: false };
  };

  cancel: Conversations['cancel'] = async (_caller, threadId, { runIds }) => {
    const lane = this.#lane(threadId);
    const current =
      lane.current && (runIds === 'all' || runIds.includes(lane.current.runId)) ? lane.current : undefined;
    current?.abort.abort();
    return { runIds: current ? [current.runId] : [] };
  };

  close: Conversations['close'] = async (_caller, threadId) => {
    const lane = this.#lane(threadId);
    lane.current?.abort.abort();
    await lane.working;
    this.closed.push(threadId);
  };

  resume: Conversations['resume'] = async () => {
    throw new ColloquyError('conflict', 'no interrupt is open');
  };

  inject: Conversations['inject'] = async (_caller, threadId) => {
    throw new ColloquyError('conflict', `thread ${threadId} has no active run`);
  };

  edited: Conversations['edited'] = async () => undefined;

  view: Conversations['view'] = async (_caller, threadId) => {
    const { current, waiting } = this.#lane(threadId);
    const shown = current && { current: { runId: current.runId, assistantId: '', step: 1, nodes: [] } };
    const status = current ? 'busy' : 'idle';
    const queue = waiting.map(({ runId }) => runId);
    return { threadId, status, ...shown, queue, interrupts: [], turns: 0, closed: false, notes: [] };
  };

  describe: Conversations['describe'] = async (_caller, threadId) => ({
    isOpen: true,
    executionId: threadId,
    isSettling: false,
  });

  startWebhook: Conversations['startWebhook'] = async () => undefined;

  /** Resolves when every accepted run has ended. */
  async idle(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.working));
  }

  #lane(threadId: string): Lane {
    const lane = this.#lanes.get(threadId) ?? { ordinal: 0, waiting: [], working: Promise.resolve() };
    this.#lanes.set(threadId, lane);
    return lane;
  }

  async #work(caller: Caller, threadId: string, lane: Lane): Promise<void> {
    const next = lane.waiting.shift();
    if (!next) return;
    const abort = new AbortController();
    lane.current = { runId: next.runId, abort };
    lane.ordinal += 1;
    const run = await unlessDeleted(this.#begin(caller, threadId, next.runId, fenceOf(lane.ordinal, 1)));
    if (run === undefined) {
      delete lane.current;
      return;
    }
    const stage = new TurnStage(this.events, run, lane.ordinal, abort.signal);
    const outcome = await this.#play(stage);
    const status = outcome.error ? 'error' : abort.signal.aborted || outcome.interrupts ? 'interrupted' : 'success';
    const threadStatus = outcome.error ? 'error' : outcome.interrupts ? 'interrupted' : 'idle';
    const { error, interrupts = {} } = outcome;
    const end = {
      runId: run.runId,
      fence: stage.fence,
      status,
      threadStatus,
      interrupts,
      ...(error && { error }),
    } as const;
    await unlessDeleted(this.threads.endRun(caller, threadId, end));
    if (error) await stage.writeEvent('error', error);
    await stage.writeEvent(CONTROL_EVENTS.ended, { run_id: run.runId, status, ...(error && { error }) });
    delete lane.current;
  }

  async #begin(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<Run> {
    const run = await this.threads.getRun(caller, threadId, runId, { admittedOnly: false });
    await this.threads.startRun(caller, threadId, runId, { afterSeq: await this.events.tail(caller, threadId), fence });
    return run;
  }

  async #play(stage: TurnStage): Promise<ScriptedTurnEnd> {
    try {
      return (await this.script(stage)) ?? {};
    } catch (error) {
      if (stage.signal.aborted) return {};
      throw error;
    }
  }
}

/** Returns the result of `work`, or undefined if the thread was deleted in the meantime. */
function unlessDeleted<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (errorCode(error) !== 'not_found') throw error;
    return undefined;
  });
}

function fenceOf(run: number, attempt: number): Fence {
  return encodeFence({ run, step: 1, attempt });
}

class TurnStage implements ScriptedTurn {
  #attempt = 1;
  #log: RunLog;

  constructor(
    private readonly events: EventLog,
    readonly run: Run,
    private readonly ordinal: number,
    readonly signal: AbortSignal,
  ) {
    this.#log = this.#open();
  }

  writeEvent(event: string, data: unknown): Promise<number> {
    this.#log.append({ ns: '', event, data: JSON.stringify(data) });
    return this.#log.flush();
  }

  async nextAttempt(superseded: [first: number, last: number][], observedTail?: number): Promise<void> {
    const tail = observedTail ?? (await this.#log.flush());
    this.#attempt += 1;
    this.#log = this.#open();
    const data: AttemptData = { run_id: this.run.runId, attempt: this.#attempt, superseded, tail };
    await this.writeEvent(CONTROL_EVENTS.attempt, data);
  }

  #open(): RunLog {
    const { tenant, threadId, runId } = this.run;
    return this.events.open(serviceCaller(tenant, 'worker'), { threadId, runId, fence: this.fence });
  }

  get fence(): Fence {
    return fenceOf(this.ordinal, this.#attempt);
  }
}
