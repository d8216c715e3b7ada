/**
 * Returns the part of `config.configurable` that readers of a run and receivers of its webhook may
 * see. For the graph, `configurable` also contains what the project's `authenticate` returned,
 * often with tokens. Readers get only the user's identity from that.
 */
export function publicConfigurable(configurable: Record<string, unknown>): Record<string, unknown> {
  const { langgraph_auth_user: user, langgraph_auth_permissions: _, ...shown } = configurable;
  if (typeof user !== 'object' || user === null) return shown;
  return { ...shown, langgraph_auth_user: { identity: (user as { identity?: unknown }).identity } };
}
