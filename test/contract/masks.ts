const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const HASH = /\b[0-9a-f]{32}\b/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g;
/** Of a checkpoint's metadata, a run's config: who serves it, and how. */
const OF_THE_SERVER = new Set([
  'metadata',
  'config',
  'checkpoint',
  'parent_checkpoint',
  'parent_config',
  'langgraph_request_id',
]);

/** What both servers answer, without what differs by nature: ids by the order in which they come, times, what names the server. */
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

/** Keys that the probes set. */
function userMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    ['a', 'b', 'who', 'created_by', 'source', 'step'].flatMap((key) => (key in metadata ? [[key, metadata[key]]] : [])),
  );
}
