import type { Response } from 'express';
import {
  ColloquyError,
  type Assistant,
  type Caller,
  type CronFilters,
  type Thread,
  ifFound,
} from '../../protocol/index.js';
import { OPEN_ACCESS, type Access, type Viewer } from '../../conversations/access.js';
import { callerOf, type ApiContext } from '../context.js';
import { assistantNotFound, threadNotFound } from '../../conversations/find.js';
import { matchesFilters, type AuthFilters } from '../../conversations/filters.js';
import type { AuthUser, ProjectAuth } from './ports.js';
import { userConfigOf } from './run-user.js';

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
    const thread = await ifFound(this.context.threads.getThread(this.caller, threadId));
    if (thread !== undefined && !matchesFilters(thread.metadata, filters)) {
      throw new ColloquyError('not_found', threadNotFound(threadId));
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
    const thread = await ifFound(this.context.threads.getThread(this.caller, threadId));
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

export function viewerOf(context: Pick<ApiContext, 'auth'>, res: Response): Viewer {
  return { caller: callerOf(res), access: accessOf(context, res) };
}
