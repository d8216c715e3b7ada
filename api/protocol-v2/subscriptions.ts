import { firstOf, type Caller } from '../../protocol/index.js';
import { reconnectParams, subscribeParams, unsubscribeParams } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { findRun } from '../../conversations/find.js';
import { parse } from '../http/validate.js';
import { channelFilter, type ChannelFilter } from './channels.js';
import type { CommandHandler, CommandResult } from './command.js';
import { orRefused, refused } from './errors.js';
import { lastSeqOf, offsetOf, type ProtocolEvent } from './events.js';
import type { TreeNode } from './namespaces.js';
import { Order, type Place } from './order.js';
import { filterOf, newSubscriptionId } from './subscription-id.js';
import { threadEvents, translatedRun, type ThreadEventsRequest } from './thread-events.js';

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
    'subscription.reconnect': (_context, _place, params) => this.#reconnect(params),
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

  async #subscribe(given: unknown): Promise<CommandResult> {
    const params = parse(subscribeParams, given, 'params');
    this.#checkRoom(1);
    const appliedThrough = await this.#appliedThrough();
    const id = newSubscriptionId(params);
    this.#open(id, params, params.since ?? 0);
    return { result: { subscription_id: id }, appliedThrough };
  }

  /** Goes on with subscriptions of a connection that broke, to whichever process it led, behind the last event that the client has. */
  async #reconnect(given: unknown): Promise<CommandResult> {
    const params = parse(reconnectParams, given, 'params');
    const { run_id: runId, last_event_id: lastSeq } = params;
    const { caller, threadId } = this.place;
    const filters = new Map((params.subscriptions ?? []).map((id) => [id, filterOf(id)]));
    // One that lives has missed nothing.
    const lost = [...filters].filter(([id]) => !this.#live.has(id));
    this.#checkRoom(lost.length);
    const missing = `thread ${threadId} has no run ${runId}`;
    const run = await orRefused(findRun(this.context, caller, threadId, runId), 'no_such_run', missing);
    const since = lastSeq ?? lastSeqOf(run.afterSeq ?? 0);
    const appliedThrough = await this.#appliedThrough();
    const [restored, { tree }] = await Promise.all([
      this.#isKept(since, offsetOf(appliedThrough)),
      translatedRun(this.context, caller, run),
    ]);
    for (const [id, filter] of lost) this.#open(id, filter, since);
    return { result: { restored, current_namespaces: namespacesOf(tree) }, appliedThrough };
  }

  /** Whether nothing behind the cursor has expired; what is left of the cursor's own logged event comes from that one. */
  async #isKept(since: number, tail: number): Promise<boolean> {
    const offset = offsetOf(since);
    const afterSeq = since === lastSeqOf(offset) ? offset : offset - 1;
    if (afterSeq >= tail) return true;
    const { caller, threadId } = this.place;
    const [next] = await this.context.events.read(caller, threadId, { afterSeq, limit: 1 });
    return next?.seq === afterSeq + 1;
  }

  #checkRoom(more: number): void {
    if (this.#live.size + more <= MOST) return;
    throw refused('invalid_argument', `a connection has at most ${MOST} subscriptions`);
  }

  #open(id: string, filter: ChannelFilter, since: number): void {
    const ended = new AbortController();
    this.#live.set(id, ended);
    const { signal } = firstOf(ended.signal, this.wire.signal);
    const place = this.#order.join(since, signal);
    const request = { threadId: this.place.threadId, since, signal };
    this.#pending.push(() => {
      this.#tell(place, request, channelFilter(filter)).catch((error: unknown) => this.wire.fail(error));
    });
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

  async #unsubscribe(given: unknown): Promise<CommandResult> {
    const { subscription_id: id } = parse(unsubscribeParams, given, 'params');
    const subscription = this.#live.get(id);
    if (!subscription) throw refused('no_such_subscription', `this connection has no subscription ${id}`);
    subscription.abort();
    this.#live.delete(id);
    return { result: {}, appliedThrough: await this.#appliedThrough() };
  }

  async #appliedThrough(): Promise<number> {
    const { caller, threadId } = this.place;
    return lastSeqOf(await this.context.events.tail(caller, threadId));
  }
}

function namespacesOf(node: TreeNode): { namespace: string[]; status: string }[] {
  const { namespace, status, children = [] } = node;
  return [{ namespace, status }, ...children.flatMap(namespacesOf)];
}
