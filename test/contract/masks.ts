const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const HASH = /\b[0-9a-f]{32}\b/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g;
/**
 * The objects under these keys describe the server or how it ran the graph, so they differ between
 * servers. {@link masked} replaces each of these objects by a placeholder, except `metadata`. Of
 * `metadata` it keeps only the keys that must be equal on both servers.
 */
const OF_THE_SERVER = new Set([
  'metadata',
  'config',
  'checkpoint',
  'parent_checkpoint',
  'parent_config',
  'langgraph_request_id',
]);

/**
 * Returns an HTTP answer in a form that can be compared between two servers. Each id is replaced by
 * a number in the order of first appearance. Times and details of the server are replaced by a
 * placeholder.
 */
export function masked(answer: unknown): unknown {
  const ids = new Map<string, string>();
  const text = JSON.stringify(answer, (key, value: unknown) => {
    if (!OF_THE_SERVER.has(key) || typeof value !== 'object' || value === null) return value;
    return key === 'metadata' ? userMetadata(value as Record<string, unknown>) : `<${key}>`;
  });
  if (text === undefined) return null;
  const named = (id: string) => ids.get(id) ?? ids.set(id, `<id ${ids.size + 1}>`).get(id) ?? '';
  return JSON.parse(text.replace(UUID, named).replace(HASH, named).replace(TIME, '<time>'));
}

/**
 * Returns the metadata that must be equal on both servers: the keys that the probes (the requests
 * of the test) set, which are `a`, `b` and `who`, and the keys `created_by`, `source` and `step`.
 */
function userMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    ['a', 'b', 'who', 'created_by', 'source', 'step'].flatMap((key) => (key in metadata ? [[key, metadata[key]]] : [])),
  );
}
