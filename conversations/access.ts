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
 * the request. This interface is for records that are found later, and for streams that stay open.
 */
export interface Access {
  /** True if a project's auth decides; false if every caller of the tenant sees everything. */
  readonly hasProjectAuth: boolean;
  /** User data that graphs can read in `config.configurable`. */
  readonly userConfig: Readonly<Record<string, unknown>>;
  /** Metadata that records must have to appear in searches of this request. */
  readonly required: RequiredMetadata;
  /**
   * Returns true if the caller may see an item of the store, or a namespace if there is no key and
   * value.
   */
  seesItem(item: { namespace?: unknown; key?: unknown }, value?: unknown): boolean;
  /**
   * Checks that the caller may see a thread. Errors: `not_found`, with the message for a missing
   * thread.
   */
  checkThread(thread: Thread): void;
  /**
   * Asks the handler of `assistants:read` about an assistant by the name in the request. It is also
   * asked about a missing assistant, so that the answer is the same. Errors: `not_found`, with the
   * message for a missing assistant; errors of the handler.
   */
  checkAssistant(found: Assistant | undefined, named: string): Promise<void>;
  /**
   * Authenticates the caller again, and checks that they may read a thread. Errors:
   * `unauthenticated`, and those of {@link recheckThread}.
   */
  renew(threadId: string): Promise<void>;
  /**
   * Checks again that the caller may read a thread. Errors: `not_found`, `forbidden`, errors of the
   * project's handler.
   */
  recheckThread(threadId: string): Promise<void>;
  /**
   * Checks that the caller may see the assistant that their request to create one found. Errors:
   * `not_found`.
   */
  checkExistingAssistant(assistant: Assistant): void;
  /**
   * Does the same as {@link checkAssistant} for runs that start later. Returns the filters that
   * apply to these runs, including those of the request's thread. Returns undefined without a
   * project's auth.
   */
  filtersToKeep(assistant: Assistant): Promise<CronFilters | undefined>;
  /**
   * Does the same as {@link filtersToKeep} for an existing cron: asks `threads:create_run` about
   * its thread again. Errors: `not_found`, `forbidden`, errors of the project's handlers.
   */
  renewFilters(assistant: Assistant, threadId: string | undefined): Promise<CronFilters | undefined>;
}

/** The access without a project's auth, and of the platform itself. */
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

/** The caller that reads or changes a record, with their access. */
export interface Viewer {
  caller: Caller;
  access: Access;
}
