import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { Caller } from '../../protocol/index.js';
import { subscribeParams, unsubscribeParams } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { parse } from '../validate.js';
import { channelFilter } from './channels.js';
import type { CommandHandler } from './commands.js';
import { refused } from './errors.js';
import { lastSeqOf, type ProtocolEvent } from './events.js';
import { threadEvents, type ThreadEventsRequest } from './thread-events.js';

interface Wire {
  /** The connection is gone, or this process stops. */
  signal: AbortSignal;
  send(text: string): Promise<void>;
  fail(error: unknown): void;
}

/** A subscription that is still told what was kept when it began. */
interface CatchingUp {
  /** Offset, as `seq`, of what was there then. */
  through: number;
  done: Promise<void>;
}

/** More than any client has; each reads the log by itself. */
const MOST = 64;

/**
 * The subscriptions of one WebSocket. They outlive runs and end with the connection; each is told what is kept, then what comes.
 *
 * Nothing newer goes out while a later subscription catches up: the SDK takes a run for over when any of them says so, and what it has of the
 * others then for all there is.
 */
export class Subscriptions {
  readonly #catchingUp: CatchingUp[] = [];
  readonly #live = new Map<string, AbortController>();
  readonly #pending: (() => void)[] = [];
  readonly handlers: Readonly<Record<string, CommandHandler>> = {
    'subscription.subscribe': (_context, _place, params) => this.#subscribe(params),
    'subscription.unsubscribe': (_context, _place, params) => this.#unsubscribe(params),
  };

  constructor(
    private readonly context: ApiContext,
    private readonly place: { caller: Caller; threadId: string },
    private readonly wire: Wire,
  ) {}

  /** Starts those whose ids have been told. */
  begin(): void {
    for (const start of this.#pending.splice(0)) start();
  }

  async #subscribe(given: unknown): Promise<{ result: object; appliedThrough: number }> {
    const params = parse(subscribeParams, given, 'params');
    if (this.#live.size >= MOST) throw refused('invalid_argument', `a connection has at most ${MOST} subscriptions`);
    const { caller, threadId } = this.place;
    const tail = await this.context.events.tail(caller, threadId);
    const id = uuid7();
    const ended = new AbortController();
    this.#live.set(id, ended);
    const signal = AbortSignal.any([ended.signal, this.wire.signal]);
    const wanted = channelFilter(params);
    const since = params.since ?? 0;
    let caughtUp: () => void = () => undefined;
    const catching = { through: lastSeqOf(tail), done: new Promise<void>((done) => (caughtUp = done)) };
    this.#catchingUp.push(catching);
    signal.addEventListener('abort', caughtUp);
    const request = { threadId, since, signal, caughtUp };
    const end = () => this.#catchingUp.splice(this.#catchingUp.indexOf(catching), 1);
    this.#pending.push(() => {
      void catching.done.then(end);
      this.#tell(catching, request, wanted)
        .catch((error: unknown) => this.wire.fail(error))
        .finally(caughtUp);
    });
    return { result: { subscription_id: id }, appliedThrough: lastSeqOf(tail) };
  }

  async #tell(own: CatchingUp, request: ThreadEventsRequest, wanted: (event: ProtocolEvent) => boolean): Promise<void> {
    for await (const batch of threadEvents(this.context, this.place.caller, request)) {
      for (const event of batch.filter(wanted)) {
        for (const later of this.#after(own)) if (event.seq > later.through) await later.done;
        if (request.signal.aborted) return;
        await this.wire.send(JSON.stringify(event));
      }
    }
  }

  /** While it catches up itself, those that began after it; then all: so no two wait for each other. */
  #after(own: CatchingUp): CatchingUp[] {
    return this.#catchingUp.slice(this.#catchingUp.indexOf(own) + 1);
  }

  async #unsubscribe(given: unknown): Promise<{ result: object; appliedThrough: number }> {
    const { subscription_id: id } = parse(unsubscribeParams, given, 'params');
    const subscription = this.#live.get(id);
    if (!subscription) throw refused('no_such_subscription', `this connection has no subscription ${id}`);
    subscription.abort();
    this.#live.delete(id);
    const { caller, threadId } = this.place;
    return { result: {}, appliedThrough: lastSeqOf(await this.context.events.tail(caller, threadId)) };
  }
}
