import type { IncomingMessage } from 'node:http';
import type { AuthFilters } from '../../conversations/filters.js';

/** Who a project's `authenticate` says is calling. */
export interface AuthUser {
  user: Record<string, unknown> & { identity: string; permissions: string[] };
  scopes: string[];
}

/** A project's own authentication and authorization (`Auth` of LangGraph's SDK). */
export interface ProjectAuth {
  /** Errors: `unauthenticated`, one with the answer that the project chose, `internal`. */
  authenticate(request: IncomingMessage): Promise<AuthUser>;
  /**
   * Asks the handler of an event, the most specific one. It may change `value`, which is then what happens.
   * Answers the filters that the resource must match. Errors: `forbidden`, one with the answer
   * that the project chose, `internal`.
   */
  authorize(who: AuthUser, event: string, value: Record<string, unknown>): Promise<AuthFilters | undefined>;
}
