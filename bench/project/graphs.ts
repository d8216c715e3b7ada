/**
 * The graphs of the benches, in a project like that of a user. Colloquy's workers and LangGraph's
 * own server load this same file. The exported graphs are not compiled, so that Colloquy and
 * LangGraph's server can each add their own checkpoint saver.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import { SimpleChatModel, type BaseChatModelParams } from '@langchain/core/language_models/chat_models';
import { AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk } from '@langchain/core/outputs';
import {
  Annotation,
  END,
  MessagesAnnotation,
  START,
  StateGraph,
  type LangGraphRunnableConfig,
} from '@langchain/langgraph';

const REPLY =
  'It holds for the second case as well, since nothing that has been said of the first one touches it at all. ';

const Text = Annotation.Root({ text: Annotation<string> });

/** One node without work. */
export const one = new StateGraph(Text)
  .addNode('only', () => ({ text: 'only' }))
  .addEdge(START, 'only')
  .addEdge('only', END);

/**
 * Three sequential nodes without work. The state does not grow, so all runs of a thread cost the
 * same.
 */
export const three = new StateGraph(Text)
  .addNode('first', () => ({ text: 'first' }))
  .addNode('second', () => ({ text: 'second' }))
  .addNode('third', () => ({ text: 'third' }))
  .addEdge(START, 'first')
  .addEdge('first', 'second')
  .addEdge('second', 'third')
  .addEdge('third', END);

/** Keeps all messages. Answers every message with the same text. */
export const chat = new StateGraph(MessagesAnnotation)
  .addNode('reply', () => ({ messages: [{ role: 'assistant', content: REPLY }] }))
  .addEdge(START, 'reply')
  .addEdge('reply', END);

export const TOKENS = 20;
export const STORY_TOKENS = 250;
const TOKEN_INTERVAL_MS = 20;
const SHORTEST_THOUGHT_MS = 30;
const LONGEST_THOUGHT_MS = 130;

/**
 * A chat model whose tokens are times: each token is the time at which it was created, in ms of the
 * machine's monotonic clock. All processes share this clock.
 */
class SpeakingClock extends SimpleChatModel {
  readonly #tokens: number;

  constructor({ tokens, ...fields }: BaseChatModelParams & { tokens: number }) {
    super(fields);
    this.#tokens = tokens;
  }

  _llmType(): string {
    return 'speaking-clock';
  }

  async _call(): Promise<string> {
    return String(clock());
  }

  override async *_streamResponseChunks(
    _messages: BaseMessage[],
    _options: this['ParsedCallOptions'],
    manager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    // The pause before the first token is random. With a fixed pause, a timer of the measured
    // server could fire at the same token of every run.
    await sleep(SHORTEST_THOUGHT_MS + Math.random() * (LONGEST_THOUGHT_MS - SHORTEST_THOUGHT_MS));
    for (let token = 0; token < this.#tokens; token += 1) {
      if (token > 0) await sleep(TOKEN_INTERVAL_MS);
      const text = `${clock()} `;
      const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk(text) });
      yield chunk;
      await manager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const model = new SpeakingClock({ tokens: TOKENS });

/** One node that streams the model's answer. */
export const speaker = new StateGraph(MessagesAnnotation)
  .addNode('speak', async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
  .addEdge(START, 'speak')
  .addEdge('speak', END);

const storyteller = new SpeakingClock({ tokens: STORY_TOKENS });

/** One node that streams `STORY_TOKENS` tokens in about five seconds, at most 50 per second. */
export const story = new StateGraph(MessagesAnnotation)
  .addNode('speak', async ({ messages }) => ({ messages: [await storyteller.invoke(messages)] }))
  .addEdge(START, 'speak')
  .addEdge('speak', END);

const FOR_EVER_MS = 600_000;

/**
 * A node that streams the number of its attempt, its process id and its start time. The first
 * attempt hangs, so that a bench can kill its worker. The next attempt ends at once.
 */
async function holdFirstAttempt(_: typeof Text.State, config: LangGraphRunnableConfig): Promise<{ text: string }> {
  const attempt = Number(config.metadata?.['run_attempt'] ?? 1);
  config.writer?.({ attempt, pid: process.pid, at: clock() });
  if (attempt === 1) await sleep(FOR_EVER_MS, undefined, config.signal && { signal: config.signal });
  return { text: `attempt ${attempt}` };
}

/** One node whose first attempt hangs, with a heartbeat timeout of 2 s. */
export const sleeper = new StateGraph(Text)
  .addNode('sleep', holdFirstAttempt, { metadata: { temporal: { heartbeatTimeout: '2s' } } })
  .addEdge(START, 'sleep')
  .addEdge('sleep', END);

/** One node whose first attempt hangs, with the default heartbeat timeout of nodes. */
export const defaultSleeper = new StateGraph(Text)
  .addNode('sleep', holdFirstAttempt)
  .addEdge(START, 'sleep')
  .addEdge('sleep', END);
