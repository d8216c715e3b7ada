import {
  NOTHING_REQUIRED,
  type Assistant,
  type Caller,
  type CronFilters,
  type RequiredMetadata,
  type Thread,
} from '../protocol/index.js';

/**
 * What the caller of one request or stream may see. Before a route runs, the API's gate asks the
 * project's auth about the ids in the request. This interface checks what the gate cannot check:
 * records that are found later, and streams that stay open.
 */
export interface Access {
  /**
   * True if a project's auth decides what the caller may see. False if every caller of the tenant
   * sees everything.
   */
  readonly hasProjectAuth: boolean;
  /** Data about the authenticated user, which graphs can read in `config.configurable`. */
  readonly userConfig: Readonly<Record<string, unknown>>;
  /** Metadata that a record must have to appear in the results of this request's searches. */
  readonly required: RequiredMetadata;
  /**
   * Returns true if the caller may see an item of the store. Without `key` and `value`, checks
   * whether the caller may see a store namespace.
   */
  seesItem(item: { namespace?: unknown; key?: unknown }, value?: unknown): boolean;
  /**
   * Checks that the caller may see a thread. Errors: `not_found`, with the same message as for a
   * thread that does not exist.
   */
  checkThread(thread: Thread): void;
  /**
   * Checks that the caller may use an assistant, by asking the project's handler of
   * `assistants:read`. The handler gets the id or name that the request contains (`named`). It is
   * also asked about an assistant that does not exist, so that clients cannot distinguish such an
   * assistant from one that they may not see. Errors: `not_found`, with the same message as for an
   * assistant that does not exist; errors of the handler.
   */
  checkAssistant(found: Assistant | undefined, named: string): Promise<void>;
  /**
   * Authenticates the caller again, and checks again that the caller may read a thread. Errors:
   * `unauthenticated`, and those of {@link recheckThread}.
   */
  renew(threadId: string): Promise<void>;
  /**
   * Checks again that the caller may read a thread. Errors: `not_found`, `forbidden`, errors of the
   * project's handler.
   */
  recheckThread(threadId: string): Promise<void>;
  /**
   * Checks that the caller may see an assistant. Used if a client creates an assistant with an id
   * that an assistant already has. Errors: `not_found`.
   */
  checkExistingAssistant(assistant: Assistant): void;
  /**
   * Used for a new cron. Checks the cron's assistant like {@link checkAssistant}. Returns the
   * filters for assistants and for threads that the project's auth handlers returned in this
   * request. They are stored with the cron, because they apply to all runs that the cron starts
   * later. Returns undefined if the project has no auth.
   */
  filtersToKeep(assistant: Assistant): Promise<CronFilters | undefined>;
  /**
   * Does the same as {@link filtersToKeep} for a cron that exists already. If the cron has a
   * thread, the handler of `threads:create_run` is asked about that thread again. Errors:
   * `not_found`, `forbidden`, errors of the project's handlers.
   */
  renewFilters(assistant: Assistant, threadId: string | undefined): Promise<CronFilters | undefined>;
}

/** The access of every caller if the project has no auth, and of the platform itself. */
export const OPEN_ACCESS: Access = {
  hasProjectAuth: false,
  userConfig: {},
  required: NOTHING_REQUIRED,
  seesItem: () => true,
  checkThread: () => undefined,
  checkAssistant: async () => undefined,
  renew: async () => undefined,
  recheckThread: async () => undefined,
  checkExistingAssistant: () => undefined,
  filtersToKeep: async () => undefined,
  renewFilters: async () => undefined,
};

/** A caller that reads or changes records, together with its access. */
export interface Viewer {
  caller: Caller;
  access: Access;
}
