import type { AuthUser } from './ports.js';

type Body = Record<string, unknown>;

/** What graphs read in `config.configurable`, as on LangGraph's servers; nothing that a client sends stands in its place. */
const USER_KEYS = ['langgraph_auth_user', 'langgraph_auth_user_id', 'langgraph_auth_permissions'];

export function userConfigOf({ user, scopes }: AuthUser): Body {
  return {
    langgraph_auth_user: user,
    langgraph_auth_user_id: user.identity,
    langgraph_auth_permissions: scopes,
  };
}

export function addUser(runs: Body[], who: AuthUser): void {
  for (const run of runs) {
    const config = (run['config'] ?? {}) as Body;
    const configurable = { ...(config['configurable'] as Body | null), ...userConfigOf(who) };
    run['config'] = { ...config, configurable };
  }
}

/** A config that takes the place of another: the runs go on to know the user that they knew. */
export function withUserOf(before: unknown, config: unknown): Body {
  const known = configurableOf(before).filter(([key]) => USER_KEYS.includes(key));
  const own = configurableOf(config).filter(([key]) => !USER_KEYS.includes(key));
  return { ...(config as Body | null), configurable: Object.fromEntries([...own, ...known]) };
}

function configurableOf(config: unknown): [string, unknown][] {
  return Object.entries(((config as Body | null | undefined)?.['configurable'] ?? {}) as Body);
}
