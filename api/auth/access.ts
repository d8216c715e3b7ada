import type { Access } from '../../conversations/access.js';
import { matchesFilters, type AuthFilters } from '../../conversations/filters.js';
import { assistantNotFound, threadNotFound } from '../../conversations/find.js';
import {
  ColloquyError,
  NOTHING_REQUIRED,
  ifFound,
  type Assistant,
  type Caller,
  type CronFilters,
  type RequiredMetadata,
  type Thread,
} from '../../protocol/index.js';
import type { ThreadStore } from '../../threads/index.js';
import type { AuthUser, ProjectAuth, Session } from './ports.js';
import { userConfigOf } from './run-user.js';

/** The filters that a project's handlers have returned for one request. */
export interface RequestFilters {
  /**
   * Filters on the metadata of threads. If no handler was asked about threads, the list is empty,
   * and every thread passes. Otherwise a thread must match at least one entry. A request that
   * creates a batch of runs has one entry for each run. Any other request has at most one entry.
   */
  threads: readonly (AuthFilters | undefined)[];
  assistants: AuthFilters | undefined;
  items: AuthFilters | undefined;
  /** The searches of this request find only records that have this metadata. */
  required: RequiredMetadata;
}

const NO_FILTERS: RequestFilters = {
  threads: [],
  assistants: undefined,
  items: undefined,
  required: NOTHING_REQUIRED,
};

/** What the caller of a request may see, in a project that has its own auth. */
export class ProjectAccess implements Access {
  readonly hasProjectAuth = true;
  #authUser: AuthUser;

  constructor(
    private readonly threads: ThreadStore,
    private readonly auth: ProjectAuth,
    readonly caller: Caller,
    private readonly session: Session,
    private readonly filters: RequestFilters = NO_FILTERS,
  ) {
    this.#authUser = session.authUser;
  }

  /** The user that the project's `authenticate` has returned most recently. */
  get authUser(): AuthUser {
    return this.#authUser;
  }

  get userConfig(): Record<string, unknown> {
    return userConfigOf(this.#authUser);
  }

  get required(): RequiredMetadata {
    return this.filters.required;
  }

  /** Returns a copy of this access that also checks the filters of one request. */
  withFilters(filters: Partial<RequestFilters>): ProjectAccess {
    const session = { authUser: this.#authUser, authenticate: this.session.authenticate };
    return new ProjectAccess(this.threads, this.auth, this.caller, session, { ...this.filters, ...filters });
  }

  checkThread({ threadId, metadata }: Thread): void {
    const alternatives = this.filters.threads;
    if (alternatives.length === 0 || alternatives.some((filters) => matchesFilters(metadata, filters))) return;
    throw new ColloquyError('not_found', threadNotFound(threadId));
  }

  /**
   * Asks the project's handler whether the caller may use an assistant. A system assistant is
   * always allowed: it belongs to the project, so every caller who may start a run may use it.
   */
  async checkAssistant(found: Assistant | undefined, named: string): Promise<void> {
    await this.#askAboutAssistant(found, named);
  }

  checkExistingAssistant({ assistantId, metadata }: Assistant): void {
    if (matchesFilters(metadata, this.filters.assistants)) return;
    throw new ColloquyError('not_found', assistantNotFound(assistantId));
  }

  seesItem({ namespace, key }: { namespace?: unknown; key?: unknown }, value?: unknown): boolean {
    return matchesFilters({ ...(value as Record<string, unknown> | undefined), namespace, key }, this.filters.items);
  }

  async renew(threadId: string): Promise<void> {
    const authUser = await this.session.authenticate();
    if (authUser.user.identity !== this.#authUser.user.identity) {
      throw new ColloquyError('unauthenticated', 'Unauthorized: the credentials now belong to another user');
    }
    this.#authUser = authUser;
    await this.recheckThread(threadId);
  }

  /**
   * Asks the project's handler again whether the caller may read a thread. A thread that does not
   * exist is allowed, because it has no events to read.
   */
  async recheckThread(threadId: string): Promise<void> {
    const filters = await this.auth.authorize(this.#authUser, 'threads:read', { thread_id: threadId, metadata: {} });
    const thread = await ifFound(this.threads.getThread(this.caller, threadId));
    if (thread !== undefined && !matchesFilters(thread.metadata, filters)) {
      throw new ColloquyError('not_found', threadNotFound(threadId));
    }
  }

  async filtersToKeep(assistant: Assistant): Promise<CronFilters> {
    const [threads] = this.filters.threads;
    return cronFilters(threads, await this.#askAboutAssistant(assistant, assistant.assistantId));
  }

  async renewFilters(assistant: Assistant, threadId: string | undefined): Promise<CronFilters> {
    const assistants = await this.#askAboutAssistant(assistant, assistant.assistantId);
    if (threadId === undefined) return cronFilters(undefined, assistants);
    const value = { thread_id: threadId, assistant_id: assistant.assistantId, metadata: {}, kwargs: {} };
    const threads = await this.auth.authorize(this.#authUser, 'threads:create_run', value);
    const thread = await ifFound(this.threads.getThread(this.caller, threadId));
    if (thread === undefined || !matchesFilters(thread.metadata, threads)) {
      throw new ColloquyError('not_found', threadNotFound(threadId));
    }
    return cronFilters(threads, assistants);
  }

  /** Does the same as {@link checkAssistant}. Returns the filters that the handler returned. */
  async #askAboutAssistant(found: Assistant | undefined, named: string): Promise<AuthFilters | undefined> {
    if (found?.isSystem) return undefined;
    const value = { assistant_id: named, metadata: {} };
    const filters = await this.auth.authorize(this.#authUser, 'assistants:read', value);
    if (found === undefined || matchesFilters(found.metadata, filters)) return filters;
    throw new ColloquyError('not_found', assistantNotFound(named));
  }
}

function cronFilters(threads: AuthFilters | undefined, assistants: AuthFilters | undefined): CronFilters {
  return { ...(threads && { threads }), ...(assistants && { assistants }) };
}
