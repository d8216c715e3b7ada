import { randomUUID } from 'node:crypto';
import type { ApiClient, OpenResponse } from './api-client.js';
import { RefusedError } from './api-client.js';
import { StuckError, type Clock } from './clock.js';
import { StreamFollower } from './follower.js';
import type { Random } from './random.js';
import {
  messagesOf,
  type AcceptedRecord,
  type LedgerRecord,
  type RunPart,
  type SeenRecord,
  type StateMessage,
} from './records.js';
import { MISCHIEF, type Mischief } from './mischief.js';
import { DECISIONS, KINDS, sayAsk, type Ask, type AskKind } from './script.js';

export interface ConversationContext {
  api: ApiClient;
  clock: Clock;
  random: Random;
  /** Writes a record to the ledger. */
  record: (record: LedgerRecord) => void;
  /**
   * Reports that this conversation has made progress: a run was accepted, or the client has
   * received something. This shows how long a conversation needs to recover from a fault.
   */
  progress: (conversation: string) => void;
  /**
   * Answers the open interrupt of a thread with a Temporal update instead of a request to the API.
   * Returns the id of the run that the answer starts.
   */
  answerByTemporal: (threadId: string, value: string) => Promise<string>;
  /** Whether the agent misbehaves. Such a conversation has no other messages until its last one. */
  isMisbehaving: boolean;
  /** Returns whether the misbehaving node of a run has been executed. */
  wasExecuted: (runId: string) => boolean;
}

interface Turn {
  n: number;
  part: RunPart;
  text: string;
  body: object;
}

interface Accepted {
  turn: Turn;
  runId: string;
  at: number;
  subgraphs: boolean;
  response?: OpenResponse;
}

const MODES = ['messages-tuple', 'values', 'updates'];
/**
 * HTTP statuses after which the stream of a run is requested again. If a run was accepted by a
 * Temporal update, it gets its record only when it begins. Until then the API answers 404.
 */
const NOT_YET = [404];
const LEAVES = 0.004;
const POLL_MS = 250;

/**
 * A simulated user who sends several messages to one thread. Usually the user sends the next
 * message after the run of the previous message has ended. Sometimes the user sends two or three
 * messages without waiting.
 */
export class Conversation {
  readonly threadId = randomUUID();
  #n = 0;

  constructor(
    readonly name: string,
    private readonly context: ConversationContext,
  ) {}

  /**
   * Sends messages until their planned number is reached or the clock is stopped. Does not throw
   * errors, but records them with the type `trouble`.
   */
  async talk(): Promise<void> {
    const { random, clock, api } = this.context;
    try {
      await api.json('/threads', { method: 'POST', body: { thread_id: this.threadId, if_exists: 'do_nothing' } });
      for (const last = random.between(3, 8); this.#n < last && !clock.stopped; ) {
        if (this.context.isMisbehaving) await this.#provoke(random.pick(MISCHIEF));
        else if (random.chance(0.2)) await this.#several(random.between(2, 3));
        else await this.#one(random.pick(KINDS));
        await clock.pause(random.between(0, 300));
      }
      // Shows that the thread can go on after all that.
      if (this.context.isMisbehaving) await this.#one('plain');
    } catch (error) {
      const kind = error instanceof StuckError ? 'stuck' : error instanceof RefusedError ? 'refused' : 'client';
      this.#trouble(kind, error instanceof Error && kind !== 'client' ? error.message : String((error as Error).stack));
    }
  }

  async #one(kind: AskKind): Promise<void> {
    const { random } = this.context;
    const turn = this.#ask(kind);
    const accepted = await this.#send(turn, random.chance(0.15) ? 'wait' : 'stream');
    const status = await this.#follow(accepted);
    if (kind === 'approve') {
      if (status === 'interrupted') await this.#decide(turn.n);
      else this.#trouble('unasked', `a run that must ask ended as ${status}`, accepted.runId);
    } else if (status !== 'success') {
      this.#trouble('failed', `the run ended as ${status}`, accepted.runId);
    }
  }

  /** Asks the agent to misbehave. The checker knows how the run must end. */
  async #provoke(kind: Mischief): Promise<void> {
    const { random } = this.context;
    const accepted = await this.#send(this.#ask(kind), random.chance(0.3) ? 'create' : 'stream');
    const followed = this.#follow(accepted);
    if (kind === 'deaf') await Promise.all([this.#cancel(accepted.runId), followed]);
    else await followed;
  }

  /** Cancels a run whose node is being executed, so that the run's message is in the state already. */
  async #cancel(runId: string): Promise<void> {
    const { api, clock, wasExecuted } = this.context;
    while (!wasExecuted(runId) && !clock.expired) await clock.pause(POLL_MS);
    try {
      (await api.open(`/threads/${this.threadId}/runs/${runId}/cancel`, { method: 'POST' })).abort();
    } catch (error) {
      // An earlier request, whose answer was lost, may have cancelled the run.
      if (!(error instanceof RefusedError)) throw error;
    }
  }

  /** Sends several messages without waiting for answers, so that their runs queue. */
  async #several(count: number): Promise<void> {
    const { random } = this.context;
    const accepted: Accepted[] = [];
    for (let sent = 0; sent < count; sent += 1) {
      const turn = this.#ask(random.pick(KINDS.filter((kind) => kind !== 'approve')));
      accepted.push(await this.#send(turn, 'create'));
    }
    const ends = await Promise.allSettled(accepted.map((one) => this.#follow(one)));
    for (const [index, end] of ends.entries()) {
      if (end.status === 'rejected') throw end.reason;
      if (end.value !== 'success') this.#trouble('failed', `the run ended as ${end.value}`, accepted[index]?.runId);
    }
  }

  async #decide(n: number): Promise<void> {
    const { random, clock } = this.context;
    await clock.pause(random.between(0, 500));
    const decision = random.pick(DECISIONS);
    const turn: Turn = { n, part: 'answer', text: decision, body: { command: { resume: decision } } };
    const accepted = random.chance(0.3)
      ? await this.#answerByTemporal(turn)
      : await this.#send(turn, random.chance(0.2) ? 'wait' : 'stream');
    const status = await this.#follow(accepted);
    if (status !== 'success') this.#trouble('failed', `the answer's run ended as ${status}`, accepted.runId);
  }

  #ask(kind: Ask['kind']): Turn {
    const { random } = this.context;
    this.#n += 1;
    const isMany = kind === 'parallel' || kind === 'chain' || kind === 'block';
    const calls = isMany ? random.between(2, 3) : 1;
    const ask: Ask = { conversation: this.name, n: this.#n, kind, calls, words: random.between(3, 25) };
    const text = sayAsk(ask);
    return { n: this.#n, part: 'ask', text, body: { input: { messages: [{ type: 'human', content: text }] } } };
  }

  /**
   * Sends a message, or the answer to an interrupt, again and again until an API process has
   * accepted it. All these requests have the same idempotency key, so only one run starts.
   */
  async #send(turn: Turn, mode: 'stream' | 'wait' | 'create'): Promise<Accepted> {
    const { api, random } = this.context;
    const subgraphs = random.chance(0.5);
    const path = `/threads/${this.threadId}/runs${mode === 'create' ? '' : `/${mode}`}`;
    const response = await api.open(path, {
      method: 'POST',
      headers: { 'Idempotency-Key': `${this.name}.${turn.n}.${turn.part}` },
      body: { assistant_id: 'agent', stream_mode: MODES, stream_subgraphs: subgraphs, ...turn.body },
    });
    const runId = response.header('Content-Location').split('/').at(-1) ?? '';
    const accepted = { turn, runId, at: Date.now(), subgraphs };
    this.#accepted(accepted);
    if (mode === 'stream') return { ...accepted, response };
    if (mode === 'wait') return this.#wait(accepted, response);
    response.abort();
    return accepted;
  }

  async #answerByTemporal(turn: Turn): Promise<Accepted> {
    const runId = await this.context.answerByTemporal(this.threadId, turn.text);
    const accepted = { turn, runId, at: Date.now(), subgraphs: false };
    this.#accepted(accepted);
    return accepted;
  }

  #accepted({ turn, runId, at }: Accepted): void {
    this.context.record({
      type: 'accepted',
      ...this.#names(turn),
      runId,
      text: turn.text,
      at,
    } satisfies AcceptedRecord);
    this.context.progress(this.name);
  }

  /**
   * Waits for the result of a run and keeps it in `#results`. `#follow` records it later, together
   * with the status of the run.
   */
  async #wait(accepted: Accepted, response: OpenResponse): Promise<Accepted> {
    const result = await this.#result(accepted.runId, response);
    this.#results.set(accepted.runId, result);
    return accepted;
  }

  readonly #results = new Map<string, StateMessage[]>();

  async #result(runId: string, response: OpenResponse): Promise<StateMessage[]> {
    const { api } = this.context;
    try {
      let text = '';
      for await (const part of response.parts()) text += part;
      return messagesOf(JSON.parse(text));
    } catch {
      return messagesOf(await api.json(`/threads/${this.threadId}/runs/${runId}/join`));
    }
  }

  /**
   * Follows a run to its end and records what the client received. Returns the status of the run,
   * with the error if there is one.
   */
  async #follow(accepted: Accepted): Promise<string> {
    const { api, clock, random } = this.context;
    const { turn, runId, at, subgraphs, response } = accepted;
    const run = `/threads/${this.threadId}/runs/${runId}`;
    const result = this.#results.get(runId);
    const progress = () => this.context.progress(this.name);
    const follower = new StreamFollower({
      api,
      clock,
      random,
      location: `${run}/stream`,
      leaves: LEAVES,
      progress,
      patient: NOT_YET,
    });
    if (result === undefined) await follower.toEnd(response);
    const tookMs = Date.now() - at;
    const { status, error } = await api.json<{ status: string; error?: { error: string; message: string } | null }>(
      run,
    );
    if (status === 'pending' || status === 'running')
      this.#trouble('early end', `the ${result ? 'result' : 'stream'} ended while the run is ${status}`, runId);
    this.context.record({
      type: 'seen',
      ...this.#names(turn),
      runId,
      status,
      ...(error && { error: `${error.error}: ${error.message}` }),
      subgraphs,
      ...(result ? { result } : { live: follower.seen }),
      connections: follower.connections,
      tookMs,
    } satisfies SeenRecord);
    progress();
    return error ? `${status} (${error.error}: ${error.message})` : status;
  }

  #names({ n, part }: Turn) {
    return { conversation: this.name, threadId: this.threadId, n, part };
  }

  #trouble(kind: string, detail: string, runId?: string): void {
    const { name: conversation, threadId } = this;
    this.context.record({ type: 'trouble', kind, conversation, threadId, detail, ...(runId && { runId }) });
  }
}
