import { describe, expect, it } from '@jest/globals';
import { HumanMessage } from '@langchain/core/messages';
import { createChatModel, modelSettingsFrom } from '../../agents/model.js';
import { OFFLINE_LABEL, OfflineChatModel, type OfflineRules } from '../../agents/offline-model.js';

const echo: OfflineRules = (messages, tools) =>
  tools.includes('look_up')
    ? { text: '', toolCalls: [{ name: 'look_up', args: { word: messages.at(-1)?.text } }] }
    : { text: `you said ${messages.at(-1)?.text}` };

describe('the model settings from the environment', () => {
  it.each([
    ['nothing is set', {}, { model: 'offline' }],
    ['a key of OpenAI is set', { OPENAI_API_KEY: 'k' }, { model: 'openai:gpt-5-mini', apiKey: 'k' }],
    ['a key of Anthropic is set', { ANTHROPIC_API_KEY: 'k' }, { model: 'anthropic:claude-haiku-4-5', apiKey: 'k' }],
    [
      'a model is named',
      { COLLOQUY_MODEL: 'anthropic:claude-x', OPENAI_API_KEY: 'o', ANTHROPIC_API_KEY: 'a' },
      { model: 'anthropic:claude-x', apiKey: 'a' },
    ],
    [
      'the model is offline although a key is set',
      { COLLOQUY_MODEL: 'offline', OPENAI_API_KEY: 'k' },
      { model: 'offline' },
    ],
    [
      'the base URL of a compatible server is set',
      { COLLOQUY_MODEL: 'openai:local', COLLOQUY_MODEL_BASE_URL: 'http://h/v1' },
      { model: 'openai:local', baseUrl: 'http://h/v1' },
    ],
    [
      'the base URL of Ollama is set',
      { COLLOQUY_MODEL: 'ollama:llama3.2:1b', OLLAMA_BASE_URL: 'http://h' },
      { model: 'ollama:llama3.2:1b', baseUrl: 'http://h' },
    ],
    ['a variable is empty', { COLLOQUY_MODEL: ' ', OPENAI_API_KEY: '' }, { model: 'offline' }],
  ])('name the expected model when %s', (_, environment, expected) => {
    expect(modelSettingsFrom(environment)).toEqual({ offlineTokenDelayMs: 12, ...expected });
  });

  it('are refused if a base URL is set without a model', () => {
    expect(() => modelSettingsFrom({ COLLOQUY_MODEL_BASE_URL: 'http://h' })).toThrow(
      'COLLOQUY_MODEL_BASE_URL is set, but no model',
    );
  });

  it('are refused if the token delay of the offline model is not a number', () => {
    expect(() => modelSettingsFrom({ COLLOQUY_OFFLINE_TOKEN_DELAY_MS: 'fast' })).toThrow(
      'expected 0 to 10000, found "fast"',
    );
  });
});

describe('a chat model', () => {
  it.each([
    ['openai:gpt-5-mini', 'openai'],
    ['anthropic:claude-haiku-4-5', 'anthropic'],
  ])('is refused without an API key: %s', async (model) => {
    await expect(createChatModel({ model }, echo)).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'COLLOQUY_MODEL',
    });
  });

  it.each([
    [{ model: 'openai:gpt-5-mini', apiKey: 'k' }, 'openai'],
    [{ model: 'openai:local', baseUrl: 'http://127.0.0.1:9/v1' }, 'openai'],
    [{ model: 'anthropic:claude-haiku-4-5', apiKey: 'k' }, 'anthropic'],
    [{ model: 'ollama:llama3.2:1b', baseUrl: 'http://127.0.0.1:9' }, 'ollama'],
  ])('is created from %j', async (settings, type) => {
    expect((await createChatModel(settings, echo))._llmType()).toBe(type);
  });

  it.each([
    ['gpt-5', /expected offline or provider:name \(openai:gpt-5-mini\), found "gpt-5"/],
    ['nobody:model', /nobody:model cannot be used: Unsupported \{ modelProvider: nobody \}/],
  ])('is refused if its name is %s', async (model, message) => {
    await expect(createChatModel({ model }, echo)).rejects.toThrow(message);
  });

  it('is refused with a base URL if its provider does not support one', async () => {
    await expect(createChatModel({ model: 'cohere:x', baseUrl: 'http://h' }, echo)).rejects.toThrow(
      'a base URL is not supported with provider cohere',
    );
  });
});

describe('the offline model', () => {
  it('puts the label `[offline model: …]` only before its first reply of a conversation', async () => {
    const model = new OfflineChatModel({ rules: echo });
    const first = await model.invoke([new HumanMessage('a')]);
    expect(first.text).toBe(`${OFFLINE_LABEL}you said a`);
    expect((await model.invoke([new HumanMessage('a'), first, new HumanMessage('b')])).text).toBe('you said b');
  });

  it('streams the same text that it returns without streaming', async () => {
    const model = new OfflineChatModel({ rules: echo });
    const tokens: string[] = [];
    for await (const chunk of await model.stream('one  two\nthree')) tokens.push(chunk.text);
    expect(tokens.length).toBeGreaterThan(5);
    expect(tokens.join('')).toBe((await model.invoke('one  two\nthree')).text);
  });

  it('calls bound tools, and the ids of the calls depend only on the conversation', async () => {
    const model = new OfflineChatModel({ rules: echo }).bindTools([
      { type: 'function', function: { name: 'look_up', parameters: {} } },
    ]);
    const [one, again, other] = [await model.invoke('cat'), await model.invoke('cat'), await model.invoke('dog')];
    expect(one.tool_calls).toMatchObject([{ name: 'look_up', args: { word: 'cat' } }]);
    expect(again.tool_calls?.[0]?.id).toBe(one.tool_calls?.[0]?.id);
    expect(other.tool_calls?.[0]?.id).not.toBe(one.tool_calls?.[0]?.id);
  });

  it('stops in a pause between two tokens when the caller aborts', async () => {
    const model = new OfflineChatModel({ rules: echo, tokenDelayMs: 10_000 });
    const abort = new AbortController();
    const answer = model.invoke('hello', { signal: abort.signal });
    abort.abort();
    await expect(answer).rejects.toThrow();
  });
});
