/**
 * What readers of a run see of `config.configurable`. What a project's `authenticate` answered
 * stands there for the graph, by LangGraph's pattern with tokens in it; whoever may read a shared
 * thread, or gets its webhook, sees the identity alone.
 */
export function publicConfigurable(configurable: Record<string, unknown>): Record<string, unknown> {
  const { langgraph_auth_user: user, langgraph_auth_permissions: _, ...shown } = configurable;
  if (typeof user !== 'object' || user === null) return shown;
  return { ...shown, langgraph_auth_user: { identity: (user as { identity?: unknown }).identity } };
}
