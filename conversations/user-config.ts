type JsonFields = Record<string, unknown>;

/**
 * Keys of `config.configurable` that describe the authenticated user of the API, named as on
 * LangGraph's servers. The server sets their values. A client must not replace these values.
 */
const USER_KEYS = ['langgraph_auth_user', 'langgraph_auth_user_id', 'langgraph_auth_permissions'];

/**
 * Returns `config` with the user of the earlier config `before`: the values of `USER_KEYS` come
 * from `before`, never from `config`. So runs with the new config still have the same user.
 */
export function keepUserConfig(before: unknown, config: unknown): JsonFields {
  const known = configurableOf(before).filter(([key]) => USER_KEYS.includes(key));
  const own = configurableOf(config).filter(([key]) => !USER_KEYS.includes(key));
  return { ...(config as JsonFields | null), configurable: Object.fromEntries([...own, ...known]) };
}

function configurableOf(config: unknown): [string, unknown][] {
  return Object.entries(((config as JsonFields | null | undefined)?.['configurable'] ?? {}) as JsonFields);
}
