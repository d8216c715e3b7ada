type Body = Record<string, unknown>;

/** What graphs read in `config.configurable`, as on LangGraph's servers; nothing that a client sends stands in its place. */
const USER_KEYS = ['langgraph_auth_user', 'langgraph_auth_user_id', 'langgraph_auth_permissions'];

/** A config that takes the place of another: the runs go on to know the user that they knew. */
export function withUserOf(before: unknown, config: unknown): Body {
  const known = configurableOf(before).filter(([key]) => USER_KEYS.includes(key));
  const own = configurableOf(config).filter(([key]) => !USER_KEYS.includes(key));
  return { ...(config as Body | null), configurable: Object.fromEntries([...own, ...known]) };
}

function configurableOf(config: unknown): [string, unknown][] {
  return Object.entries(((config as Body | null | undefined)?.['configurable'] ?? {}) as Body);
}
