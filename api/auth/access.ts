import type { Response } from 'express';
import {
  ColloquyError,
  errorCode,
  type Assistant,
  type Caller,
  type CronFilters,
  type Thread,
} from '../../protocol/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { assistantNotFound, findThread, threadNotFound } from '../find.js';
import { matchesFilters } from './filters.js';
import type { AuthFilters, AuthUser, ProjectAuth } from './ports.js';
import { userConfigOf } from './run-user.js';

/**
 * What the caller of one request or stream may see. The gate has asked about the ids of the request already; this is for records
 * that are found later, and for streams that stay open.
 */
export interface Access {
  /** A project's auth is asked; false: everybody sees everything. */
  readonly isAsked: boolean;
  /** What graphs read of who calls, in `config.configurable`. */
  readonly userConfig: Readonly<Record<string, unknown>>;
  /** Errors: `not_found`, in the words for a thread that does not exist. */
  checkThread(thread: Thread): void;
  /**
   * Asks the handler of `assistants:read` about an assistant as a request names it; about one that does not exist too, so that the
   * answer is the same. Errors: `not_found`, in the words for one that does not exist; what the handler throws.
   */
  checkAssistant(found: Assistant | undefined, named: string): Promise<void>;
  /** Asks again who calls and whether they may read a thread. Errors: `unauthenticated`, and those of {@link recheckThread}. */
  renew(threadId: string): Promise<void>;
  /** Asks again whether the caller may read a thread. Errors: `not_found`, `forbidden`, what the project's handler throws. */
  recheckThread(threadId: string): Promise<void>;
  /** Of an assistant that was there when this request was to make it. Errors: `not_found`. */
  checkExistingAssistant(assistant: Assistant): void;
  /**
   * As {@link checkAssistant}, for runs that come later. Answers the filters to hold them to, those of the
   * request's own thread among them; undefined where nobody is asked.
   */
  filtersToKeep(assistant: Assistant): Promise<CronFilters | undefined>;
  /**
   * The same for a cron that is there already: asks `threads:create_run` about its thread again.
   * Errors: `not_found`, `forbidden`, what the project's handlers throw.
   */
  renewFilters(assistant: Assistant, threadId: string | undefined): Promise<CronFilters | undefined>;
}

/** Where no project's auth is asked, and for what the platform does by itself. */
export const OPEN_ACCESS: Access = {
  isAsked: false,
  userConfig: {},
  checkThread: () => undefined,
  checkAssistant: async () => undefined,
  renew: async () => undefined,
  recheckThread: async () => undefined,
  checkExistingAssistant: () => undefined,
  filtersToKeep: async () => undefined,
  renewFilters: async () => undefined,
};

/** Who was authenticated, and how to do it again with the same credentials. */
export interface Session {
  who: AuthUser;
  authenticate: () => Promise<AuthUser>;
}

/** The access of a caller that a project's auth knows. */
export class ProjectAccess implements Access {
  readonly isAsked = true;
  #who: AuthUser;
  #threadFilters: readonly (AuthFilters | undefined)[] = [];
  #assistantFilters: AuthFilters | undefined;

  constructor(
    private readonly context: ApiContext,
    private readonly auth: ProjectAuth,
    readonly caller: Caller,
    private readonly session: Session,
  ) {
    this.#who = session.who;
  }

  /** Who calls, as the project said last. */
  get who(): AuthUser {
    return this.#who;
  }

  get userConfig(): Record<string, unknown> {
    return userConfigOf(this.#who);
  }

  /** The same caller with the filters that hold for the threads of one request; of several, one for each run of a batch, any. */
  withThreadFilters(filters: readonly (AuthFilters | undefined)[]): ProjectAccess {
    const { authenticate } = this.session;
    const access = new ProjectAccess(this.context, this.auth, this.caller, { who: this.#who, authenticate });
    access.#threadFilters = filters;
    return access;
  }

  checkThread({ threadId, metadata }: Thread): void {
    const alternatives = this.#threadFilters;
    if (alternatives.length === 0 || alternatives.some((filters) => matchesFilters(metadata, filters))) return;
    throw new ColloquyError('not_found', threadNotFound(threadId));
  }

  /** A graph's own assistant is the project's: whoever may start a run may use it. */
  async checkAssistant(found: Assistant | undefined, named: string): Promise<void> {
    await this.#askAboutAssistant(found, named);
  }

  async renew(threadId: string): Promise<void> {
    const who = await this.session.authenticate();
    if (who.user.identity !== this.#who.user.identity) {
      throw new ColloquyError('unauthenticated', 'Unauthorized: the credentials are those of somebody else now');
    }
    this.#who = who;
    await this.recheckThread(threadId);
  }

  /** A thread that is not there shows nothing. */
  async recheckThread(threadId: string): Promise<void> {
    const filters = await this.auth.authorize(this.#who, 'threads:read', { thread_id: threadId, metadata: {} });
    const thread = await this.#findThread(threadId);
    if (thread !== undefined && !matchesFilters(thread.metadata, filters)) {
      throw new ColloquyError('not_found', threadNotFound(threadId));
    }
  }

  async #findThread(threadId: string): Promise<Thread | undefined> {
    try {
      return await this.context.threads.getThread(this.caller, threadId);
    } catch (error) {
      if (errorCode(error) !== 'not_found') throw error;
      return undefined;
    }
  }

  /** The same caller with the filters that hold for the assistants of one request. */
  withAssistantFilters(filters: AuthFilters | undefined): ProjectAccess {
    const access = this.withThreadFilters(this.#threadFilters);
    access.#assistantFilters = filters;
    return access;
  }

  checkExistingAssistant({ assistantId, metadata }: Assistant): void {
    if (matchesFilters(metadata, this.#assistantFilters)) return;
    throw new ColloquyError('not_found', assistantNotFound(assistantId));
  }

  async filtersToKeep(assistant: Assistant): Promise<CronFilters> {
    const [threads] = this.#threadFilters;
    return kept(threads, await this.#askAboutAssistant(assistant, assistant.assistantId));
  }

  async renewFilters(assistant: Assistant, threadId: string | undefined): Promise<CronFilters> {
    const assistants = await this.#askAboutAssistant(assistant, assistant.assistantId);
    if (threadId === undefined) return kept(undefined, assistants);
    const value = { thread_id: threadId, assistant_id: assistant.assistantId, metadata: {}, kwargs: {} };
    const threads = await this.auth.authorize(this.#who, 'threads:create_run', value);
    const thread = await this.#findThread(threadId);
    if (thread === undefined || !matchesFilters(thread.metadata, threads)) {
      throw new ColloquyError('not_found', threadNotFound(threadId));
    }
    return kept(threads, assistants);
  }

  /** As {@link checkAssistant}. Answers the filters. */
  async #askAboutAssistant(found: Assistant | undefined, named: string): Promise<AuthFilters | undefined> {
    if (found?.isSystem) return undefined;
    const value = { assistant_id: named, metadata: {} };
    const filters = await this.auth.authorize(this.#who, 'assistants:read', value);
    if (found === undefined || matchesFilters(found.metadata, filters)) return filters;
    throw new ColloquyError('not_found', assistantNotFound(named));
  }
}

function kept(threads: AuthFilters | undefined, assistants: AuthFilters | undefined): CronFilters {
  return { ...(threads && { threads }), ...(assistants && { assistants }) };
}

/** By the `locals` of a response, which an inner response shares: no code of a project can put anything there. */
const accesses = new WeakMap<object, Access>();

export function keepAccess(res: Response, access: Access): void {
  accesses.set(res.locals, access);
}

export function hasAccess(res: Response): boolean {
  return accesses.has(res.locals);
}

/** Errors: `internal` where the project has an auth and the gate was not passed. */
export function accessOf(context: Pick<ApiContext, 'auth'>, res: Response): Access {
  const access = accesses.get(res.locals);
  if (access !== undefined) return access;
  if (context.auth === undefined) return OPEN_ACCESS;
  throw new ColloquyError('internal', 'the request has not passed the gate of the project’s auth');
}

/** Who looks at a record, and what they may see. */
export interface Viewer {
  caller: Caller;
  access: Access;
}

export function viewerOf(context: Pick<ApiContext, 'auth'>, res: Response): Viewer {
  return { caller: callerOf(res), access: accessOf(context, res) };
}

/**
 * A thread as the caller of a request may see it now. A slow handler of the project leaves time for somebody else to
 * make it anew after the gate has looked, so look right before the use. Errors: `not_found`.
 */
export async function findVisibleThread(
  context: ApiContext,
  { caller, access }: Viewer,
  threadId: string,
): Promise<Thread> {
  const thread = await findThread(context, caller, threadId);
  access.checkThread(thread);
  return thread;
}
