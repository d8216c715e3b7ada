type JsonFields = Record<string, unknown>;

/**
 * Keys of `config.configurable` that hold the user, as on LangGraph's servers. A client must not
 * replace their values.
 */
const USER_KEYS = ['langgraph_auth_user', 'langgraph_auth_user_id', 'langgraph_auth_permissions'];

/**
 * Returns `config` with the user of the earlier config `before`, so that later runs keep their
 * user.
 */
export function keepUserConfig(before: unknown, config: unknown): JsonFields {
  const known = configurableOf(before).filter(([key]) => USER_KEYS.includes(key));
  const own = configurableOf(config).filter(([key]) => !USER_KEYS.includes(key));
  return { ...(config as JsonFields | null), configurable: Object.fromEntries([...own, ...known]) };
}

function configurableOf(config: unknown): [string, unknown][] {
  return Object.entries(((config as JsonFields | null | undefined)?.['configurable'] ?? {}) as JsonFields);
}
