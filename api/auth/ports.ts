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
   * Returns the user of a request. If the project's handler throws an `HTTPException`, this method
   * throws an error with the status, text and headers of that exception. The API sends these to the
   * client. Other errors: `unauthenticated`, `internal`.
   */
  authenticate(request: IncomingMessage): Promise<AuthUser>;
  /**
   * Calls the handler that the project has registered for an auth event, such as `threads:read`. If
   * several handlers fit, calls only the most specific one. Returns the filters that the resource
   * must match, or undefined if no handler fits or the handler allows everything. The handler may
   * change `value`, and the request then uses the changed value. An `HTTPException` of the handler
   * has the same effect as in `authenticate`. Other errors: `forbidden`, `internal`.
   */
  authorize(authUser: AuthUser, event: string, value: Record<string, unknown>): Promise<AuthFilters | undefined>;
}

/** The authenticated user, and a function that authenticates again with the same credentials. */
export interface Session {
  authUser: AuthUser;
  authenticate: () => Promise<AuthUser>;
}
