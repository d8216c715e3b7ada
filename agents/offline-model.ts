import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';

/** The name that clients show for the offline model. */
export const OFFLINE_MODEL_NAME = 'colloquy-offline';

/** Text that precedes the first reply in a conversation. */
export const OFFLINE_LABEL = '[offline model: scripted replies, no API key is set] ';

export interface OfflineReply {
  text: string;
  toolCalls?: { name: string; args: Record<string, unknown> }[];
}

/**
 * Returns the next reply. It depends only on the conversation and on the names of the tools that
 * the model may call.
 */
export type OfflineRules = (messages: readonly BaseMessage[], tools: readonly string[]) => OfflineReply;

export interface OfflineModelOptions {
  rules: OfflineRules;
  /** Pause before each token, in ms, so that a person sees streaming. Default 0. */
  tokenDelayMs?: number;
}

interface OfflineCallOptions extends BaseChatModelCallOptions {
  tools?: BindToolsInput[];
}

/**
 * A chat model with scripted replies, which it streams token by token. A reply can have tool calls,
 * which the graph executes like those of any other model. The same conversation always gets the
 * same reply and the same tool call ids, so a repeated step produces the same output.
 */
export class OfflineChatModel extends BaseChatModel<OfflineCallOptions> {
  override readonly lc_namespace = ['colloquy', 'agents'];
  readonly #rules: OfflineRules;
  readonly #tokenDelayMs: number;

  constructor(options: OfflineModelOptions) {
    super({});
    this.#rules = options.rules;
    this.#tokenDelayMs = options.tokenDelayMs ?? 0;
  }

  override _llmType(): string {
    return 'offline';
  }

  override getLsParams(options: this['ParsedCallOptions']): ReturnType<BaseChatModel['getLsParams']> {
    return { ...super.getLsParams(options), ls_provider: 'colloquy', ls_model_name: OFFLINE_MODEL_NAME };
  }

  override bindTools(
    tools: BindToolsInput[],
    options?: Partial<OfflineCallOptions>,
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, OfflineCallOptions> {
    return this.withConfig({ ...options, tools });
  }

  override async _generate(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    let whole: ChatGenerationChunk | undefined;
    for await (const chunk of this._streamResponseChunks(messages, options, runManager)) {
      whole = whole ? whole.concat(chunk) : chunk;
    }
    if (!whole) throw new Error('the offline model returned no reply');
    const { content, tool_calls, response_metadata } = whole.message as AIMessageChunk;
    const message = new AIMessage({ content, response_metadata, ...(tool_calls ? { tool_calls } : {}) });
    return { generations: [{ text: whole.text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const reply = this.#rules(messages, (options.tools ?? []).map(toolName));
    for (const chunk of chunksOf(reply, messages)) {
      options.signal?.throwIfAborted();
      if (this.#tokenDelayMs > 0) await delay(this.#tokenDelayMs, undefined, { signal: options.signal });
      yield chunk;
      await runManager?.handleLLMNewToken(chunk.text, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

function* chunksOf(reply: OfflineReply, messages: readonly BaseMessage[]): Generator<ChatGenerationChunk> {
  const text = reply.text && !hasSpoken(messages) ? OFFLINE_LABEL + reply.text : reply.text;
  for (const token of text.match(/\S+\s*|\s+/g) ?? []) yield chunkOf(token, { content: token });
  for (const [index, call] of (reply.toolCalls ?? []).entries()) {
    const args = JSON.stringify(call.args);
    const half = Math.ceil(args.length / 2);
    const first = {
      id: callId(messages, index),
      name: call.name,
      args: args.slice(0, half),
      index,
      type: 'tool_call_chunk' as const,
    };
    yield chunkOf('', { content: '', tool_call_chunks: [first] });
    yield chunkOf('', { content: '', tool_call_chunks: [{ args: args.slice(half), index, type: 'tool_call_chunk' }] });
  }
  const stopReason = reply.toolCalls?.length ? 'tool_calls' : 'stop';
  yield chunkOf('', { content: '', response_metadata: { model_name: OFFLINE_MODEL_NAME, finish_reason: stopReason } });
}

function chunkOf(text: string, fields: ConstructorParameters<typeof AIMessageChunk>[0]): ChatGenerationChunk {
  return new ChatGenerationChunk({ text, message: new AIMessageChunk(fields) });
}

function hasSpoken(messages: readonly BaseMessage[]): boolean {
  return messages.some((message) => message.getType() === 'ai' && message.text !== '');
}

/**
 * Returns the id of a tool call. It is derived from the conversation so far, so it is unique in the
 * conversation, and a repeated step gets the same id.
 */
function callId(messages: readonly BaseMessage[], index: number): string {
  const hash = createHash('sha256');
  for (const message of messages) {
    hash.update(JSON.stringify([message.getType(), message.content, (message as AIMessage).tool_calls ?? []]));
  }
  return `call_${hash.update(String(index)).digest('hex').slice(0, 20)}`;
}

function toolName(tool: BindToolsInput): string {
  const { name, function: definition } = tool as { name?: string; function?: { name?: string } };
  return name ?? definition?.name ?? '';
}
