import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { ColloquyError } from '../protocol/index.js';
import { OfflineChatModel, type OfflineRules } from './offline-model.js';

export interface ModelSettings {
  /**
   * `offline`, or a provider and the name of its model: `openai:gpt-5-mini`,
   * `anthropic:claude-haiku-4-5`, `ollama:llama3.2`.
   */
  model: string;
  /**
   * Base URL of a server that has the same API as the provider. Includes the version in its path:
   * `http://127.0.0.1:8000/v1`.
   */
  baseUrl?: string;
  apiKey?: string;
  /** Pause before each token of the offline model, in ms. */
  offlineTokenDelayMs?: number;
}

type Variables = Readonly<Record<string, string | undefined>>;

const PROVIDER_KEYS: Readonly<Record<string, string>> = { openai: 'OPENAI_API_KEY', anthropic: 'ANTHROPIC_API_KEY' };
const BASE_URL_VARIABLES: Readonly<Record<string, string>> = {
  openai: 'OPENAI_BASE_URL',
  anthropic: 'ANTHROPIC_BASE_URL',
  ollama: 'OLLAMA_BASE_URL',
};
const DEFAULT_MODELS: Readonly<Record<string, string>> = {
  openai: 'openai:gpt-5-mini',
  anthropic: 'anthropic:claude-haiku-4-5',
};

/**
 * Default pause before each token of the offline model, in ms. Long enough to see tokens arrive,
 * and short enough that nobody has to wait for them.
 */
const DEFAULT_TOKEN_DELAY_MS = 12;

/**
 * Returns the settings of the model. Reads `COLLOQUY_MODEL`, `COLLOQUY_MODEL_BASE_URL`,
 * `COLLOQUY_MODEL_API_KEY`, `COLLOQUY_OFFLINE_TOKEN_DELAY_MS`, and the variables of the model
 * providers (`OPENAI_API_KEY`, `OPENAI_BASE_URL`, `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`,
 * `OLLAMA_BASE_URL`). If `COLLOQUY_MODEL` is not set, the model is the default model of the first
 * provider whose API key is set. If no API key is set either, the model is `offline`. Errors:
 * `invalid_argument`.
 */
export function modelSettingsFrom(environment: Variables): ModelSettings {
  const read = (name: string) => environment[name]?.trim() || undefined;
  for (const name of ['COLLOQUY_MODEL_BASE_URL', 'COLLOQUY_MODEL_API_KEY']) {
    if (read(name) && !read('COLLOQUY_MODEL'))
      throw invalid(`${name} is set, but no model; set COLLOQUY_MODEL=provider:name too`);
  }
  const withKey = Object.keys(PROVIDER_KEYS).find((provider) => read(PROVIDER_KEYS[provider] ?? ''));
  const model = read('COLLOQUY_MODEL') ?? (withKey && DEFAULT_MODELS[withKey]) ?? 'offline';
  const provider = model.split(':', 1)[0] ?? '';
  const baseUrl = read('COLLOQUY_MODEL_BASE_URL') ?? read(BASE_URL_VARIABLES[provider] ?? '');
  const apiKey = read('COLLOQUY_MODEL_API_KEY') ?? read(PROVIDER_KEYS[provider] ?? '');
  return {
    model,
    offlineTokenDelayMs: readDelay(read('COLLOQUY_OFFLINE_TOKEN_DELAY_MS')),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/**
 * Creates the offline model, or a chat model of any provider that LangChain supports. The model
 * itself does not retry failed calls. The step is retried instead, because clients can see this
 * retry, and it respects `retry-after`. Errors: `invalid_argument`.
 */
export async function createChatModel(settings: ModelSettings, rules: OfflineRules): Promise<BaseChatModel> {
  if (settings.model === 'offline') {
    return new OfflineChatModel({ rules, tokenDelayMs: settings.offlineTokenDelayMs ?? 0 });
  }
  const [, provider, name] = /^([a-z][a-z_-]*):(.+)$/.exec(settings.model) ?? [];
  if (!provider || !name) {
    throw invalid(`expected offline or provider:name (openai:gpt-5-mini), found "${settings.model}"`);
  }
  requireKey(provider, settings);
  return initialise(name, provider, settings);
}

async function initialise(name: string, modelProvider: string, settings: ModelSettings): Promise<BaseChatModel> {
  // A dynamic import, because the module is large and the offline model does not need it.
  const { initChatModel } = await import('langchain/chat_models/universal');
  try {
    const universal = await initChatModel(name, {
      modelProvider,
      maxRetries: 0,
      ...providerOptions(modelProvider, settings),
    });
    // Return the provider's own model, not LangChain's wrapper around it. The wrapper would create
    // and keep a separate model for each config, and a caller could choose another model with
    // `configurable.model`.
    return await universal._getModelInstance();
  } catch (cause) {
    throw invalid(`${settings.model} cannot be used: ${(cause as Error).message}`, cause);
  }
}

/** Returns the base URL and the API key under the names that the provider's client expects. */
function providerOptions(provider: string, { baseUrl, apiKey }: ModelSettings): Record<string, unknown> {
  const key = apiKey === undefined ? {} : { apiKey };
  if (baseUrl === undefined) return key;
  switch (provider) {
    case 'openai':
      // OpenAI's client requires an API key, but a compatible server seldom needs one. Compatible
      // servers have only chat completions, not the Responses API.
      return { apiKey: apiKey ?? 'none', useResponsesApi: false, configuration: { baseURL: baseUrl } };
    case 'anthropic':
      return { apiKey: apiKey ?? 'none', anthropicApiUrl: baseUrl };
    case 'ollama':
      return { baseUrl };
    default:
      throw invalid(`a base URL is not supported with provider ${provider}; it is with openai, anthropic and ollama`);
  }
}

function requireKey(provider: string, settings: ModelSettings): void {
  const variable = PROVIDER_KEYS[provider];
  if (!variable || settings.apiKey !== undefined || settings.baseUrl !== undefined) return;
  throw invalid(
    `${settings.model} needs a key: set ${variable} or COLLOQUY_MODEL_API_KEY, ` +
      'or COLLOQUY_MODEL_BASE_URL for a compatible server, or COLLOQUY_MODEL=offline',
  );
}

function readDelay(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TOKEN_DELAY_MS;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0 && value <= 10_000) return value;
  throw new ColloquyError('invalid_argument', `COLLOQUY_OFFLINE_TOKEN_DELAY_MS: expected 0 to 10000, found "${text}"`);
}

function invalid(what: string, cause?: unknown): ColloquyError {
  return new ColloquyError('invalid_argument', `COLLOQUY_MODEL: ${what}`, {
    field: 'COLLOQUY_MODEL',
    ...(cause === undefined ? {} : { cause }),
  });
}
