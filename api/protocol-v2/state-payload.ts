import { isRecord } from './events.js';

type Json = Record<string, unknown>;

/**
 * Message types by role name. A client of LangGraph may write the role name in the field `type`.
 */
const TYPES: Readonly<Record<string, string>> = { assistant: 'ai', user: 'human' };
const MESSAGE_TYPES: ReadonlySet<unknown> = new Set(['human', 'ai', 'system', 'tool', 'function', 'remove']);
const BLOCK_TYPES: ReadonlySet<string> = new Set([
  'text',
  'reasoning',
  'tool_call',
  'tool_call_chunk',
  'invalid_tool_call',
  'server_tool_call',
  'server_tool_call_chunk',
  'server_tool_call_result',
  'image',
  'audio',
  'video',
  'file',
  'non_standard',
]);
const MEDIA: ReadonlySet<string> = new Set(['image', 'audio', 'video', 'file']);

/**
 * Converts a state to the form that it has in the channels `values` and `updates` of protocol v2.
 * Removes those fields of messages that only model providers read.
 */
export function statePayload(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown) => (isMessage(item) ? shortMessage(item) : statePayload(item)));
  if (!isRecord(value)) return value;
  const shown = Object.entries(value).filter(([key]) => key !== '__interrupt__');
  return Object.fromEntries(
    shown.map(([key, entry]) => {
      if (key !== 'messages' || !Array.isArray(entry)) return [key, statePayload(entry)];
      return [key, entry.map((item: unknown) => (isMessage(item) ? shortMessage(item) : item))];
    }),
  );
}

function isMessage(value: unknown): value is Json {
  return isRecord(value) && MESSAGE_TYPES.has(typeOf(value));
}

function typeOf({ type }: Json): unknown {
  return typeof type === 'string' ? (TYPES[type] ?? type) : undefined;
}

function shortMessage(message: Json): Json {
  const type = typeOf(message);
  const { id, name, response_metadata: metadata, example } = message;
  return {
    type,
    content: content(message, type === 'ai' ? extraBlocks(message) : []),
    ...(typeof id === 'string' && { id }),
    ...(typeof name === 'string' && { name }),
    ...(isRecord(metadata) && Object.keys(metadata).length > 0 && { response_metadata: metadata }),
    ...(typeof example === 'boolean' && (type === 'ai' || type === 'human') && { example }),
    ...(type === 'tool' && toolFields(message)),
    ...(type === 'ai' && calls(message)),
  };
}

function toolFields({ tool_call_id: id, status, artifact }: Json): Json {
  return {
    ...(typeof id === 'string' && { tool_call_id: id }),
    ...((status === 'success' || status === 'error') && { status }),
    ...(artifact !== undefined && { artifact }),
  };
}

function content({ content: raw = '' }: Json, extra: Json[]): unknown {
  const blocks: Json[] =
    typeof raw === 'string'
      ? [...(raw && extra.length > 0 ? [{ type: 'text', text: raw }] : [])]
      : Array.isArray(raw)
        ? (raw as unknown[]).flatMap((entry) => block(entry))
        : [];
  if (typeof raw === 'string' && extra.length === 0) return raw;
  const known = new Set<unknown>(blocks.flatMap(({ id }) => (id === undefined ? [] : [id])));
  const hasAudio = blocks.some(({ type }) => type === 'audio');
  const added = extra.filter((media) => !known.has(media['id']) && !(media['type'] === 'audio' && hasAudio));
  return blocks.length + added.length > 0 ? [...blocks, ...added] : raw;
}

function block(entry: unknown): Json[] {
  if (typeof entry === 'string') return [{ type: 'text', text: entry }];
  const type = isRecord(entry) ? entry['type'] : undefined;
  if (!isRecord(entry) || typeof type !== 'string') return [];
  if (BLOCK_TYPES.has(type)) return [MEDIA.has(type) ? snakeMime(entry) : entry];
  if (type === 'image_url') {
    const url = isRecord(entry['image_url']) ? entry['image_url']['url'] : entry['image_url'];
    return typeof url === 'string' ? [{ type: 'image', url }] : [];
  }
  if (type !== 'input_audio') return [{ type: 'non_standard', value: entry }];
  const audio = entry['input_audio'];
  return isRecord(audio) ? [{ type: 'audio', ...audio }] : [];
}

function snakeMime({ mimeType, ...rest }: Json): Json {
  return typeof mimeType === 'string' ? { mime_type: mimeType, ...rest } : rest;
}

/**
 * Returns content blocks for the images and the audio that a model has generated. Model providers
 * put these into `additional_kwargs` and not into the content of a message.
 */
function extraBlocks({ additional_kwargs: kwargs }: Json): Json[] {
  if (!isRecord(kwargs)) return [];
  const outputs = Array.isArray(kwargs['tool_outputs']) ? (kwargs['tool_outputs'] as unknown[]) : [];
  const images = outputs.flatMap((output) => {
    if (!isRecord(output) || output['type'] !== 'image_generation_call') return [];
    const { id, url, result, output_format: format } = output;
    if (typeof url !== 'string' && typeof result !== 'string') return [];
    const mime = typeof format === 'string' ? `image/${format === 'jpg' ? 'jpeg' : format}` : 'image/png';
    return [{ type: 'image', ...present({ id, url, data: result }), mime_type: mime }];
  });
  const { audio } = kwargs;
  if (!isRecord(audio) || (typeof audio['data'] !== 'string' && typeof audio['url'] !== 'string')) return images;
  const { id, url, data, transcript, mime_type: mime, format } = audio;
  const type = typeof mime === 'string' ? mime : `audio/${typeof format === 'string' ? format : 'wav'}`;
  return [...images, { type: 'audio', ...present({ id, url, data, transcript }), mime_type: type }];
}

function present(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === 'string'));
}

function calls(message: Json): Json {
  const { tool_calls: own, invalid_tool_calls: wrong, additional_kwargs: kwargs } = message;
  const fromProvider = isRecord(kwargs) ? kwargs['tool_calls'] : undefined;
  const listed = Array.isArray(own) && own.length > 0 ? own : fromProvider;
  const all = (Array.isArray(listed) ? (listed as unknown[]) : []).filter(isRecord).map(toolCall);
  const valid = all.filter(({ type }) => type === 'tool_call');
  const rejected = (Array.isArray(wrong) ? (wrong as unknown[]) : []).filter(isRecord);
  const invalid =
    rejected.length > 0
      ? rejected.map(({ id, name, args, error }) => ({
          ...present({ id, name, args }),
          error: typeof error === 'string' ? error : 'Malformed args.',
          type: 'invalid_tool_call',
        }))
      : all.filter(({ type }) => type === 'invalid_tool_call');
  return {
    ...(valid.length > 0 && { tool_calls: valid }),
    ...(invalid.length > 0 && { invalid_tool_calls: invalid }),
  };
}

/**
 * Converts a tool call to a content block. `call` is in the format of LangChain's messages or in
 * the format of the model provider.
 */
function toolCall(call: Json): Json {
  const inner = isRecord(call['function']) ? call['function'] : {};
  const rawArgs = 'args' in call ? call['args'] : inner['arguments'];
  const { id, name } = present({ id: call['id'], name: call['name'] ?? inner['name'] });
  const identity = { ...(id !== undefined && { id }), ...(name !== undefined && { name }) };
  const text = typeof rawArgs === 'string' ? { args: rawArgs } : {};
  if (name === undefined) return { ...identity, ...text, error: 'Incomplete tool call.', type: 'invalid_tool_call' };
  try {
    const args = typeof rawArgs === 'string' ? (JSON.parse(rawArgs || '{}') as unknown) : (rawArgs ?? {});
    return { ...identity, args, type: 'tool_call' };
  } catch {
    return { ...identity, ...text, error: 'Malformed args.', type: 'invalid_tool_call' };
  }
}
