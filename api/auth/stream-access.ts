import { ColloquyError, type Caller, type StoredEvent } from '../../protocol/index.js';
import type { EventLog } from '../../streams/index.js';
import type { ApiContext } from '../context.js';
import type { Access } from '../../conversations/access.js';

/** Longer than any answer of a project's auth should take. */
const ANSWER_TIMEOUT_MS = 10_000;

/** What holds an open stream to the rights of its client. */
export interface StreamAccess {
  /** Aborted when the client may not read any more; its reason is the error that says why. */
  readonly lost: AbortSignal;
  /** The event log, which checks the client's rights before it answers the first event of each run. */
  readonly events: EventLog;
  stop(): void;
}

/**
 * Asks again, while a stream is open, whether its client may read the thread: from time to time, together with who the client is, and
 * when another run begins to tell. So a thread that somebody else makes under the id that a stream waits for is not told. Without a
 * project's auth nothing is asked.
 */
export function watchAccess(context: ApiContext, access: Access, threadId: string): StreamAccess {
  const { events, options } = context;
  const lost = new AbortController();
  if (!access.isAsked) return { lost: lost.signal, events, stop: () => undefined };
  let timer = setTimeout(renew, options.accessCheckMs).unref();
  let stopped = false;
  const check = async () => {
    try {
      await inTime(access.recheckThread(threadId));
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

  /** One at a time. */
  async function renew(): Promise<void> {
    try {
      await inTime(access.renew(threadId));
      if (!stopped) timer = setTimeout(renew, options.accessCheckMs).unref();
    } catch (error) {
      lost.abort(error);
    }
  }
}

/** A project's handler that does not answer must not keep a stream open. Errors: `unavailable`. */
async function inTime(asked: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new ColloquyError(
      'unavailable',
      `the auth of this project did not answer in ${ANSWER_TIMEOUT_MS} ms`,
    );
    timer = setTimeout(() => reject(error), ANSWER_TIMEOUT_MS).unref();
  });
  try {
    await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An event log that asks before it gives the first event of a run, and before each of the thread itself. */
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
    // Events of the thread itself have no run; each may be of another thread of that id.
    if (page.some(({ runId }) => runId === '' || runId !== this.#runId)) await this.check();
    this.#runId = page.at(-1)?.runId ?? this.#runId;
    return page;
  }
}
