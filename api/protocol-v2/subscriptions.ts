import { firstOf, type Caller } from '../../protocol/index.js';
import { reconnectParams, subscribeParams, unsubscribeParams } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { findRun } from '../../conversations/find.js';
import { parse } from '../http/validate.js';
import { channelFilter, type ChannelFilter } from './channels.js';
import type { CommandHandler, CommandResult } from './command.js';
import { orProtocolError, protocolError } from './errors.js';
import { lastSeqOf, offsetOf, type ProtocolEvent } from './events.js';
import type { NamespaceNode } from './namespaces.js';
import { ReaderOrder, type OrderedReader } from './order.js';
import { filterOfSubscription, newSubscriptionId } from './subscription-id.js';
import { protocolEvents, translatedRun, type ProtocolEventsRequest } from './thread-events.js';

interface SubscriptionSink {
  /** Aborted when the connection is closed or this process stops. */
  signal: AbortSignal;
  send(text: string): Promise<void>;
  fail(error: unknown): void;
}

/**
 * Maximum number of subscriptions on one connection. No client needs more, and each subscription
 * reads the event log separately.
 */
const MAX_SUBSCRIPTIONS = 64;

/**
 * The subscriptions of one WebSocket. They continue from run to run, and end with the connection.
 * Each subscription receives the stored events first, then new events.
 * A subscription receives an event only when all other subscriptions have received the events
 * before it. The reason is the SDK: when one subscription reports the end of a run, the SDK reads
 * nothing more about this run from the other subscriptions.
 */
export class Subscriptions {
  readonly #order = new ReaderOrder();
  readonly #live = new Map<string, AbortController>();
  readonly #pending: (() => void)[] = [];
  readonly handlers: Readonly<Record<string, CommandHandler>> = {
    'subscription.subscribe': (_context, _target, params) => this.#subscribe(params),
    'subscription.unsubscribe': (_context, _target, params) => this.#unsubscribe(params),
    'subscription.reconnect': (_context, _target, params) => this.#reconnect(params),
  };

  constructor(
    private readonly context: ApiContext,
    private readonly target: { caller: Caller; threadId: string },
    private readonly wire: SubscriptionSink,
  ) {}

  /**
   * Starts the subscriptions that were created since the last call. Must be called only when the
   * client has received their ids.
   */
  startPending(): void {
    for (const start of this.#pending.splice(0)) start();
  }

  async #subscribe(rawParams: unknown): Promise<CommandResult> {
    const params = parse(subscribeParams, rawParams, 'params');
    this.#checkLimit(1);
    const appliedThrough = await this.#appliedThrough();
    const id = newSubscriptionId(params);
    this.#open(id, params, params.since ?? 0);
    return { result: { subscription_id: id }, appliedThrough };
  }

  /**
   * Opens the subscriptions of a lost connection again, on this connection. They continue after
   * `last_event_id`, the last event that the client has received. If the client names no event,
   * they start at the first event of the run `run_id`. The lost connection may have been to another
   * process.
   */
  async #reconnect(rawParams: unknown): Promise<CommandResult> {
    const params = parse(reconnectParams, rawParams, 'params');
    const { run_id: runId, last_event_id: lastSeq } = params;
    const { caller, threadId } = this.target;
    const filters = new Map((params.subscriptions ?? []).map((id) => [id, filterOfSubscription(id)]));
    // A subscription that is still open on this connection has missed no event, so it is not opened
    // again.
    const lost = [...filters].filter(([id]) => !this.#live.has(id));
    this.#checkLimit(lost.length);
    const missing = `thread ${threadId} has no run ${runId}`;
    const run = await orProtocolError(findRun(this.context, caller, threadId, runId), 'no_such_run', missing);
    const since = lastSeq ?? lastSeqOf(run.afterSeq ?? 0);
    const appliedThrough = await this.#appliedThrough();
    const [restored, { tree }] = await Promise.all([
      this.#isComplete(since, offsetOf(appliedThrough)),
      translatedRun(this.context, caller, run),
    ]);
    for (const [id, filter] of lost) this.#open(id, filter, since);
    return { result: { restored, current_namespaces: namespacesOf(tree) }, appliedThrough };
  }

  /**
   * Returns true if the event log still contains everything after `since`, the number of the last
   * protocol event that the client has received. One logged event becomes several protocol events.
   * If the client has received only some of them, the logged event is read again, so it must still
   * be in the log too.
   */
  async #isComplete(since: number, tail: number): Promise<boolean> {
    const offset = offsetOf(since);
    const afterSeq = since === lastSeqOf(offset) ? offset : offset - 1;
    if (afterSeq >= tail) return true;
    const { caller, threadId } = this.target;
    const [next] = await this.context.events.read(caller, threadId, { afterSeq, limit: 1 });
    return next?.seq === afterSeq + 1;
  }

  #checkLimit(more: number): void {
    if (this.#live.size + more <= MAX_SUBSCRIPTIONS) return;
    throw protocolError('invalid_argument', `a connection has at most ${MAX_SUBSCRIPTIONS} subscriptions`);
  }

  #open(id: string, filter: ChannelFilter, since: number): void {
    const ended = new AbortController();
    this.#live.set(id, ended);
    const { signal } = firstOf(ended.signal, this.wire.signal);
    const reader = this.#order.join(since, signal);
    const request = { threadId: this.target.threadId, since, signal };
    this.#pending.push(() => {
      this.#sendEvents(reader, request, channelFilter(filter)).catch((error: unknown) => this.wire.fail(error));
    });
  }

  async #sendEvents(
    reader: OrderedReader,
    request: ProtocolEventsRequest,
    wanted: (event: ProtocolEvent) => boolean,
  ): Promise<void> {
    for await (const batch of protocolEvents(this.context, this.target.caller, request)) {
      for (const event of batch) {
        if (wanted(event)) {
          await reader.waitForTurn();
          if (request.signal.aborted) return;
          await this.wire.send(JSON.stringify(event));
        }
        reader.advanceTo(event.seq);
      }
    }
  }

  async #unsubscribe(rawParams: unknown): Promise<CommandResult> {
    const { subscription_id: id } = parse(unsubscribeParams, rawParams, 'params');
    const subscription = this.#live.get(id);
    if (!subscription) throw protocolError('no_such_subscription', `this connection has no subscription ${id}`);
    subscription.abort();
    this.#live.delete(id);
    return { result: {}, appliedThrough: await this.#appliedThrough() };
  }

  async #appliedThrough(): Promise<number> {
    const { caller, threadId } = this.target;
    return lastSeqOf(await this.context.events.tail(caller, threadId));
  }
}

function namespacesOf(node: NamespaceNode): { namespace: string[]; status: string }[] {
  const { namespace, status, children = [] } = node;
  return [{ namespace, status }, ...children.flatMap(namespacesOf)];
}
