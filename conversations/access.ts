import {
  NOTHING_REQUIRED,
  type Assistant,
  type Caller,
  type CronFilters,
  type RequiredMetadata,
  type Thread,
} from '../protocol/index.js';

/**
 * What the caller of one request or stream may see. The API's gate has already checked the ids in
 * the request. This interface checks records that are found after the gate, and streams that stay
 * open.
 */
export interface Access {
  /**
   * True if a project's auth decides what the caller may see. False if every caller of the tenant
   * sees everything.
   */
  readonly hasProjectAuth: boolean;
  /** User data that graphs can read in `config.configurable`. */
  readonly userConfig: Readonly<Record<string, unknown>>;
  /** Metadata that a record must have, so that searches of this request return the record. */
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
   * Asks the handler of `assistants:read` about an assistant. The handler gets the id or name by
   * which the request names the assistant (`named`). The handler is also asked if the assistant
   * does not exist, so that clients cannot distinguish it from one that they may not see. Errors:
   * `not_found`, with the same message as for an assistant that does not exist; errors of the
   * handler.
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
   * Checks that the caller may see an assistant. For requests to create an assistant that exists
   * already. Errors: `not_found`.
   */
  checkExistingAssistant(assistant: Assistant): void;
  /**
   * Checks an assistant like {@link checkAssistant}, for a cron, whose runs start later. Returns
   * the filters that those runs must pass: the filters of the assistant and of the thread in the
   * request. Returns undefined if the project has no auth.
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
