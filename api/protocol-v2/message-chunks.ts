import { isRecord, textOf, type DraftEvent } from './events.js';

type Json = Record<string, unknown>;

interface OpenMessage {
  id: string;
  namespace: string[];
  runId: unknown;
  /**
   * The content blocks of the message so far. Only the last block can still grow, because a message
   * completes one block before it begins the next.
   */
  blocks: Block[];
  usage?: unknown;
  metadata?: unknown;
}

interface Block {
  key: string;
  content: Json;
}

/**
 * Converts logged `messages-tuple` events to events of the channel `messages`. Each logged event is
 * a pair of a message chunk and its metadata. A run logs such pairs if the HTTP run API started it,
 * or if its graph uses an older LangGraph. Chunks of tool messages are left out, because other
 * channels report tool messages.
 */
export class MessageChunks {
  readonly #open = new Map<string, OpenMessage>();
  readonly #done = new Set<string>();

  /**
   * Adds a chunk. Returns the protocol events that result from the chunk, and the namespace of
   * these events. As in version 3 of `streamEvents`, this is the namespace of the node that
   * produces the message.
   */
  add(graphNamespace: string[], [chunk, metadata]: unknown[]): { namespace: string[]; drafts: DraftEvent[] } {
    const meta = isRecord(metadata) ? metadata : {};
    const ns = meta['langgraph_checkpoint_ns'];
    const namespace = typeof ns === 'string' && ns !== '' ? ns.split('|') : graphNamespace;
    if (!isRecord(chunk) || typeof chunk['id'] !== 'string') return { namespace, drafts: [] };
    const type = String(chunk['type'])
      .replace(/MessageChunk$/, '')
      .toLowerCase();
    if (type === 'tool' || this.#done.has(chunk['id'])) return { namespace, drafts: [] };
    const key = `${namespace.join('|')} ${chunk['id']}`;
    const known = this.#open.get(key);
    const message = known ?? { id: chunk['id'], namespace, runId: meta['run_id'], blocks: [] };
    this.#open.set(key, message);
    if (chunk['usage_metadata']) message.usage = chunk['usage_metadata'];
    if (isRecord(chunk['response_metadata']) && Object.keys(chunk['response_metadata']).length > 0)
      message.metadata = chunk['response_metadata'];
    const role = type === 'human' || type === 'system' ? { role: type } : {};
    const start = known ? [] : [messageEvent(message, { event: 'message-start', id: message.id, ...role })];
    return { namespace, drafts: [...start, ...partsOf(chunk).flatMap((part) => extendMessage(message, part))] };
  }

  /**
   * Ends each open message that is complete when the given logged event arrives. A message is
   * complete when one of these events arrives: the result of the message's task, the update of its
   * node, or the next state of its graph. Returns the last protocol events of the ended messages.
   * Clients get these protocol events before the given event.
   */
  endBefore(mode: string, namespace: string[], data: unknown): DraftEvent[] {
    const ended = [...this.#open].filter(([, { namespace: messageNamespace }]) => {
      if (messageNamespace.slice(0, -1).join('|') !== namespace.join('|')) return false;
      if (mode === 'values') return true;
      const node = (messageNamespace.at(-1) ?? '').replace(/:.*$/s, '');
      if (mode === 'updates') return isRecord(data) && node in data;
      return (
        mode === 'tasks' &&
        isRecord(data) &&
        'result' in data &&
        messageNamespace.at(-1) === `${String(data['name'])}:${String(data['id'])}`
      );
    });
    return ended.flatMap(([key, message]) => {
      this.#open.delete(key);
      this.#done.add(message.id);
      const { usage, metadata } = message;
      const finish = {
        event: 'message-finish',
        ...(usage !== undefined && { usage }),
        ...(metadata !== undefined && { responseMetadata: metadata }),
      };
      return [...finishBlock(message), messageEvent(message, finish)];
    });
  }
}

function messageEvent({ namespace, runId }: OpenMessage, data: Json): DraftEvent {
  return { method: 'messages', namespace, data: { ...data, ...(runId !== undefined && { run_id: runId }) } };
}

/**
 * Splits a chunk into parts: text, other content blocks, and pieces of tool calls. Parts that
 * follow each other and have the same `key` belong to the same content block of the message.
 */
function partsOf(chunk: Json): Block[] {
  const { content, tool_call_chunks: slices, tool_calls: calls } = chunk;
  const contentParts: unknown[] =
    typeof content === 'string'
      ? content
        ? [{ type: 'text', text: content }]
        : []
      : Array.isArray(content)
        ? content
        : [];
  const blocks = contentParts
    .map((block) => (typeof block === 'string' ? { type: 'text', text: block } : block))
    .filter(isRecord)
    .filter(({ type }) => type !== 'tool_use' && type !== 'input_json_delta' && type !== 'tool_call')
    .map((block) => ({ key: `${String(block['type'])} ${textOf(block['index'])}`, content: block }));
  const list = (value: unknown) => (Array.isArray(value) ? (value as unknown[]).filter(isRecord) : []);
  const tools =
    list(slices).length > 0
      ? list(slices).map((slice) => ({ ...slice, type: 'tool_call_chunk' }))
      : list(calls).map((call) => ({ ...call, type: 'tool_call' }));
  return [
    ...blocks,
    ...tools.map((tool: Json) => ({ key: `tool ${String(tool['index'] ?? tool['id'])}`, content: tool })),
  ];
}

function extendMessage(message: OpenMessage, part: Block): DraftEvent[] {
  const last = message.blocks.at(-1);
  const index = last?.key === part.key ? message.blocks.length - 1 : message.blocks.length;
  if (last?.key === part.key) return delta(message, index, last, part.content);
  const finished = finishBlock(message);
  const block: Block = { key: part.key, content: emptied(part.content) };
  message.blocks.push(block);
  const start = messageEvent(message, { event: 'content-block-start', index, content: block.content });
  return [...finished, start, ...delta(message, index, block, part.content)];
}

function emptied(content: Json): Json {
  if (content['type'] === 'text') return { type: 'text', text: '' };
  if (content['type'] === 'reasoning') return { type: 'reasoning', reasoning: '' };
  if (content['type'] !== 'tool_call' && content['type'] !== 'tool_call_chunk') return content;
  const { id, name } = content;
  return { type: 'tool_call_chunk', ...(id ? { id } : {}), ...(name ? { name } : {}), args: '' };
}

function delta(message: OpenMessage, index: number, block: Block, content: Json): DraftEvent[] {
  const field = { text: 'text', reasoning: 'reasoning', tool_call_chunk: 'args', tool_call: 'args' }[
    String(content['type'])
  ];
  if (field === undefined) return [];
  const added =
    typeof content[field] === 'string'
      ? content[field]
      : content['type'] === 'tool_call'
        ? JSON.stringify(content[field] ?? {})
        : '';
  if (added === '') return [];
  block.content = { ...block.content, [field]: `${textOf(block.content[field])}${added}` };
  const change =
    field === 'args' ? { type: 'block-delta', fields: block.content } : { type: `${field}-delta`, [field]: added };
  return [messageEvent(message, { event: 'content-block-delta', index, delta: change })];
}

function finishBlock(message: OpenMessage): DraftEvent[] {
  const block = message.blocks.at(-1);
  if (!block) return [];
  return [
    messageEvent(message, {
      event: 'content-block-finish',
      index: message.blocks.length - 1,
      content: finalized(block.content),
    }),
  ];
}

function finalized(content: Json): Json {
  if (content['type'] !== 'tool_call_chunk') return content;
  const { args, ...rest } = content;
  try {
    return { ...rest, type: 'tool_call', args: JSON.parse(String(args) || '{}') as unknown };
  } catch {
    return { ...content, type: 'invalid_tool_call', error: 'Malformed args.' };
  }
}
