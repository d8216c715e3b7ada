/**
 * The part of `config.configurable` that readers of a run and receivers of its webhook may see. The
 * graph also finds there what the project's `authenticate` returned, often with tokens; of that,
 * readers get the user's identity alone.
 */
export function publicConfigurable(configurable: Record<string, unknown>): Record<string, unknown> {
  const { langgraph_auth_user: user, langgraph_auth_permissions: _, ...shown } = configurable;
  if (typeof user !== 'object' || user === null) return shown;
  return { ...shown, langgraph_auth_user: { identity: (user as { identity?: unknown }).identity } };
}
