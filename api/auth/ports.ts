import type { IncomingMessage } from 'node:http';
import type { AuthFilters } from '../../conversations/filters.js';

/** The user that a project's `authenticate` returned. */
export interface AuthUser {
  user: Record<string, unknown> & { identity: string; permissions: string[] };
  scopes: string[];
}

/** The authentication and authorization that a project defines with `Auth` of LangGraph's SDK. */
export interface ProjectAuth {
  /**
   * Returns the user of a request. Errors: `unauthenticated`; the `HTTPException` that the handler
   * of the project throws, as the answer to the client; `internal`.
   */
  authenticate(request: IncomingMessage): Promise<AuthUser>;
  /**
   * Asks the project's handler for an auth event. If several handlers fit, only the most specific
   * one is asked. Returns the filters that the resource must match, or undefined if no handler fits
   * or the handler allows everything. The handler may change `value`, and the request then uses the
   * changed value. Errors: `forbidden`; the `HTTPException` that the handler throws, as the answer
   * to the client; `internal`.
   */
  authorize(authUser: AuthUser, event: string, value: Record<string, unknown>): Promise<AuthFilters | undefined>;
}

/** The authenticated user, and a function that authenticates again with the same credentials. */
export interface Session {
  authUser: AuthUser;
  authenticate: () => Promise<AuthUser>;
}
