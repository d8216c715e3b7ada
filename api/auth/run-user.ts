import type { AuthUser } from './ports.js';

type Body = Record<string, unknown>;

export function userConfigOf({ user, scopes }: AuthUser): Body {
  return {
    langgraph_auth_user: user,
    langgraph_auth_user_id: user.identity,
    langgraph_auth_permissions: scopes,
  };
}

export function addUser(runs: Body[], authUser: AuthUser): void {
  for (const run of runs) {
    const config = (run['config'] ?? {}) as Body;
    const configurable = { ...(config['configurable'] as Body | null), ...userConfigOf(authUser) };
    run['config'] = { ...config, configurable };
  }
}
