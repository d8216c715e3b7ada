import type { IncomingMessage } from 'node:http';

/** Who a project's `authenticate` says is calling. */
export interface AuthUser {
  user: Record<string, unknown> & { identity: string; permissions: string[] };
  scopes: string[];
}

/** What a record must have in its metadata: an equal value, or operators. */
export type AuthFilters = Record<string, unknown>;

/** A project's own authentication and authorization (`Auth` of LangGraph's SDK). */
export interface ProjectAuth {
  /** Errors: `unauthenticated`, or what the project throws, with its status and headers. */
  authenticate(request: IncomingMessage): Promise<AuthUser>;
  /**
   * Asks the handler of an event, the most specific one. It may change `value`, which is then what happens.
   * Answers the filters that the resource must match. Errors: `forbidden`, or what the project throws.
   */
  authorize(who: AuthUser, event: string, value: Record<string, unknown>): Promise<AuthFilters | undefined>;
}
