import {
  NOTHING_REQUIRED,
  type Assistant,
  type Caller,
  type CronFilters,
  type RequiredMetadata,
  type Thread,
} from '../protocol/index.js';

/**
 * What the caller of one request or stream may see. The gate of the API has checked the ids in the
 * request already; this is for records that are found later, and for streams that stay open.
 */
export interface Access {
  /** True if a project's auth decides; false if every caller of the tenant sees everything. */
  readonly isAsked: boolean;
  /** What graphs can read about the user, in `config.configurable`. */
  readonly userConfig: Readonly<Record<string, unknown>>;
  /** What records must have so that a search of this request finds them. */
  readonly required: RequiredMetadata;
  /** Whether the caller may see an item of the store, or a namespace if there is no key and value. */
  seesItem(place: { namespace?: unknown; key?: unknown }, value?: unknown): boolean;
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

/** Who looks at a record, and what they may see. */
export interface Viewer {
  caller: Caller;
  access: Access;
}
