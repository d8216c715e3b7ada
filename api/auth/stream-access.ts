import { ColloquyError, type Caller, type StoredEvent } from '../../protocol/index.js';
import type { EventLog } from '../../streams/index.js';
import type { ApiContext } from '../context.js';
import type { Access } from '../../conversations/access.js';

/** How long an auth handler of the project may take to answer, in ms. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Checks repeatedly that the client of an open stream may still read the thread. */
export interface StreamAccess {
  /**
   * Aborted when the client loses the right to read. The reason of the signal is the error that the
   * client gets.
   */
  readonly lost: AbortSignal;
  /**
   * The event log. It checks again that the client may read the thread, before it returns the first
   * event of a run or an event without a run.
   */
  readonly events: EventLog;
  stop(): void;
}

/**
 * Checks repeatedly, while a stream is open, that the client may read the thread. At a fixed
 * interval, it authenticates the client again and checks the client's access. The returned event
 * log also checks the access: before the first event of each run, and before each event without a
 * run. The reason: the thread may have been deleted, and another user may have created a new thread
 * under the same id. If the project has no auth, nothing is checked.
 */
export function watchAccess(context: ApiContext, access: Access, threadId: string): StreamAccess {
  const { events, options } = context;
  const lost = new AbortController();
  if (!access.hasProjectAuth) return { lost: lost.signal, events, stop: () => undefined };
  let timer = setTimeout(renew, options.accessCheckMs).unref();
  let stopped = false;
  const check = async () => {
    try {
      await withTimeout(access.recheckThread(threadId));
    } catch (error) {
      lost.abort(error);
      throw error;
    }
  };
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
  };
  return { lost: lost.signal, events: new CheckedLog(events, check), stop };

  /** Authenticates the client again and checks its access once, then schedules the next check. */
  async function renew(): Promise<void> {
    try {
      await withTimeout(access.renew(threadId));
      if (!stopped) timer = setTimeout(renew, options.accessCheckMs).unref();
    } catch (error) {
      lost.abort(error);
    }
  }
}

/**
 * Waits at most `ANSWER_TIMEOUT_MS` for the project's auth handler. A handler that does not answer
 * must not keep a stream open. Errors: `unavailable` after that time; errors of the handler.
 */
async function withTimeout(asked: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    const error = new ColloquyError(
      'unavailable',
      `the auth of this project did not answer in ${ANSWER_TIMEOUT_MS} ms`,
    );
    timer = setTimeout(() => reject(error), ANSWER_TIMEOUT_MS).unref();
  });
  try {
    await Promise.race([asked, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * An event log that checks access before the first event of each run, and before every event
 * without a run.
 */
class CheckedLog implements EventLog {
  #runId: string | undefined;

  constructor(
    private readonly log: EventLog,
    private readonly check: () => Promise<void>,
  ) {}

  open: EventLog['open'] = (caller, scope) => this.log.open(caller, scope);
  tail: EventLog['tail'] = (caller, threadId) => this.log.tail(caller, threadId);
  append: EventLog['append'] = (caller, threadId, event) => this.log.append(caller, threadId, event);
  deleteThread: EventLog['deleteThread'] = (caller, threadId) => this.log.deleteThread(caller, threadId);
  close: EventLog['close'] = () => this.log.close();

  async read(caller: Caller, threadId: string, options: Parameters<EventLog['read']>[2]): Promise<StoredEvent[]> {
    return this.#checked(await this.log.read(caller, threadId, options));
  }

  async *follow(
    caller: Caller,
    threadId: string,
    options: Parameters<EventLog['follow']>[2],
  ): AsyncGenerator<StoredEvent[]> {
    for await (const page of this.log.follow(caller, threadId, options)) yield await this.#checked(page);
  }

  async #checked(page: StoredEvent[]): Promise<StoredEvent[]> {
    // `#runId` is the run of the last event of the previous page. Access to the events of this run
    // was already checked. An event of another run, or an event without a run, may belong to a new
    // thread with the same id.
    if (page.some(({ runId }) => runId === '' || runId !== this.#runId)) await this.check();
    this.#runId = page.at(-1)?.runId ?? this.#runId;
    return page;
  }
}
