/**
 * Returns the part of `config.configurable` that readers of a run and receivers of its webhook may
 * see. The graph gets more: `configurable` contains all that the project's `authenticate` returned
 * about the user, which often includes tokens. Readers get only the identity of the user.
 */
export function publicConfigurable(configurable: Record<string, unknown>): Record<string, unknown> {
  const { langgraph_auth_user: user, langgraph_auth_permissions: _, ...shown } = configurable;
  if (typeof user !== 'object' || user === null) return shown;
  return { ...shown, langgraph_auth_user: { identity: (user as { identity?: unknown }).identity } };
}
