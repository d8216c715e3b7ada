import { createHash } from 'node:crypto';

/** A message in a request to OpenAI's chat completions API. */
export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  content?: string | { type: string; text?: string }[] | null;
  tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
  name?: string;
}

export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  tools?: { type: 'function'; function: { name: string } }[];
}

/** What the scripted model does with a request. */
export interface ModelReply {
  text?: string;
  toolCalls?: { name: string; args: Record<string, unknown>; id?: string }[];
  /** HTTP status of an error answer, such as 401, 429 or 500. */
  status?: number;
  /** Pause that an error answer requests in the header `retry-after`. Only used with `status`. */
  retryAfterSeconds?: number;
  /**
   * Pause before each piece of a streamed answer, and before an answer that is not streamed, in ms.
   * For demonstrations, chaos, and tests whose subject is slow nodes.
   */
  delayMs?: number;
  /**
   * Number of pieces of a streamed answer that are sent before the answer stops. `release()` of
   * the model server continues the answer. With 0, or without streaming, the answer stops before
   * the headers of the response.
   */
  stallAfter?: number;
  /**
   * Number of pieces of a streamed answer that are sent before the connection is destroyed. With 0,
   * or without streaming, this happens before the headers of the response.
   */
  cutAfter?: number;
}

export interface ModelRule {
  /**
   * String that the last user message of a request must contain. Absent: the rule matches every
   * request.
   */
  match?: string;
  /** Number of requests that the rule answers. Absent: no limit. */
  times?: number;
  reply: ModelReply | ((request: ChatRequest) => ModelReply);
}

/**
 * The rules of a scripted model. The newest rule that matches a request answers it. If none
 * matches, the answer repeats the user's message.
 */
export class ModelScript {
  readonly #rules: { rule: ModelRule; left: number }[] = [];

  add(rule: ModelRule): void {
    this.#rules.unshift({ rule, left: rule.times ?? Infinity });
  }

  clear(): void {
    this.#rules.length = 0;
  }

  replyTo(request: ChatRequest): ModelReply {
    const userText = lastUserText(request);
    const found = this.#rules.find(
      ({ rule, left }) => left > 0 && (rule.match === undefined || userText.includes(rule.match)),
    );
    if (!found) return { text: `Answer to "${userText}".` };
    found.left -= 1;
    return typeof found.rule.reply === 'function' ? found.rule.reply(request) : found.rule.reply;
  }
}

export function lastUserText({ messages }: ChatRequest): string {
  return textOf(messages.findLast((message) => message.role === 'user'));
}

export function textOf(message: ChatMessage | undefined): string {
  const content = message?.content ?? '';
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('');
}

type Delta = Record<string, unknown>;

/**
 * Returns the pieces of a streamed answer, in the form of OpenAI's chunks. The same request and
 * reply give the same pieces.
 */
export function piecesOf(request: ChatRequest, reply: ModelReply): object[] {
  const deltas: Delta[] = [...(reply.text ?? '').matchAll(/\S+\s*|\s+/g)].map(([token]) => ({ content: token }));
  for (const [index, call] of callsOf(request, reply).entries()) {
    const { name, arguments: args } = call.function;
    const half = Math.ceil(args.length / 2);
    deltas.push({ tool_calls: [{ index, id: call.id, type: 'function', function: { name, arguments: '' } }] });
    deltas.push({ tool_calls: [{ index, function: { arguments: args.slice(0, half) } }] });
    deltas.push({ tool_calls: [{ index, function: { arguments: args.slice(half) } }] });
  }
  const head = { id: answerId(request), object: 'chat.completion.chunk', created: 0, model: request.model };
  const chunk = (delta: Delta, finish: string | null) => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const pieces: object[] = deltas.map((delta, index) =>
    chunk(index === 0 ? { role: 'assistant', ...delta } : delta, null),
  );
  pieces.push(chunk({}, finishReason(reply)));
  if (request.stream_options?.include_usage)
    pieces.push({ ...head, choices: [], usage: usageOf(request, deltas.length) });
  return pieces;
}

/** Returns the whole answer to a request that does not ask for a stream. */
export function completionOf(request: ChatRequest, reply: ModelReply): object {
  const calls = callsOf(request, reply);
  const message = {
    role: 'assistant',
    content: reply.text ?? null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    id: answerId(request),
    object: 'chat.completion',
    created: 0,
    model: request.model,
    choices: [{ index: 0, message, finish_reason: finishReason(reply) }],
    usage: usageOf(request, 1),
  };
}

function callsOf(request: ChatRequest, reply: ModelReply): NonNullable<ChatMessage['tool_calls']> {
  return (reply.toolCalls ?? []).map(({ id, name, args }, index) => ({
    id: id ?? `call_${hashOf(request)}_${index}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(args) },
  }));
}

function finishReason(reply: ModelReply): string {
  return reply.toolCalls?.length ? 'tool_calls' : 'stop';
}

function usageOf(request: ChatRequest, completion: number): object {
  const prompt = request.messages.length;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function answerId(request: ChatRequest): string {
  return `chatcmpl-${hashOf(request)}`;
}

function hashOf({ messages }: ChatRequest): string {
  return createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 16);
}
