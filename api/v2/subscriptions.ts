import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { Caller } from '../../protocol/index.js';
import { subscribeParams, unsubscribeParams } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { parse } from '../validate.js';
import { channelFilter } from './channels.js';
import type { CommandHandler } from './commands.js';
import { refused } from './errors.js';
import { lastSeqOf, type ProtocolEvent } from './events.js';
import { Order, type Place } from './order.js';
import { threadEvents, type ThreadEventsRequest } from './thread-events.js';

interface Wire {
  /** The connection is gone, or this process stops. */
  signal: AbortSignal;
  send(text: string): Promise<void>;
  fail(error: unknown): void;
}

/** More than any client has; each reads the log by itself. */
const MOST = 64;

/**
 * The subscriptions of one WebSocket. They outlive runs and end with the connection; each is told what is kept, then what comes.
 *
 * None is told an event before the others have been told what comes before it: the SDK takes a run for over when one of them says so, and
 * what it has of the others by then for all there is.
 */
export class Subscriptions {
  readonly #order = new Order();
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
    const since = params.since ?? 0;
    const signal = AbortSignal.any([ended.signal, this.wire.signal]);
    const place = this.#order.join(since, signal);
    const wanted = channelFilter(params);
    this.#pending.push(() => {
      this.#tell(place, { threadId, since, signal }, wanted).catch((error: unknown) => this.wire.fail(error));
    });
    return { result: { subscription_id: id }, appliedThrough: lastSeqOf(tail) };
  }

  async #tell(place: Place, request: ThreadEventsRequest, wanted: (event: ProtocolEvent) => boolean): Promise<void> {
    for await (const batch of threadEvents(this.context, this.place.caller, request)) {
      for (const event of batch) {
        if (wanted(event)) {
          await place.isTurn();
          if (request.signal.aborted) return;
          await this.wire.send(JSON.stringify(event));
        }
        place.reach(event.seq);
      }
    }
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
