import type { IncomingMessage } from 'node:http';
import type { AuthFilters } from '../../conversations/filters.js';

/** The user that a project's `authenticate` returned. */
export interface AuthUser {
  user: Record<string, unknown> & { identity: string; permissions: string[] };
  scopes: string[];
}

/** A project's own authentication and authorization (`Auth` of LangGraph's SDK). */
export interface ProjectAuth {
  /**
   * Returns the user of a request. Errors: `unauthenticated`, an error with the answer that the
   * project chose, `internal`.
   */
  authenticate(request: IncomingMessage): Promise<AuthUser>;
  /**
   * Asks the most specific handler that the project has for an event. Without a handler there are
   * no filters. The handler may change `value`; the request then uses the changed value. Returns
   * the filters that the resource must match. Errors: `forbidden`, an error with the answer that
   * the project chose, `internal`.
   */
  authorize(authUser: AuthUser, event: string, value: Record<string, unknown>): Promise<AuthFilters | undefined>;
}

/** The authenticated user, and a function that authenticates again with the same credentials. */
export interface Session {
  authUser: AuthUser;
  authenticate: () => Promise<AuthUser>;
}
