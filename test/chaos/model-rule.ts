import { createHash } from 'node:crypto';
import { lastUserText, textOf, type ChatRequest, type ModelReply, type ModelRule } from '../support/model-script.js';
import { Random } from './random.js';
import { answerText, effectName, readAsk, thoughtText, type Ask } from './script.js';

export interface ModelFaults {
  seed: number;
  /** Share of requests that fail with 429, 500 or a cut connection. */
  rate: number;
}

/**
 * Highest number of failures of one request. A node has five attempts, so no request fails
 * permanently.
 */
const MOST_FAILURES = 2;
/** Number of requests whose failures are remembered. Older requests are not repeated any more. */
const REQUESTS_KEPT = 20_000;
export const HELPER_PROMPT = 'You are the helper.';

/**
 * Returns the rule by which the simulated model answers. The answer depends on the request and on
 * how often the model has received this request. Random numbers from the seed decide which requests
 * fail.
 */
export function chaosRule({ seed, rate }: ModelFaults): ModelRule {
  const attempts = new Map<string, { requests: number; failures: number }>();
  const random = new Random(seed, 'model');

  return {
    reply: (request) => {
      const known = attempts.get(keyOf(request)) ?? { requests: 0, failures: 0 };
      attempts.set(keyOf(request), known);
      forgetOldest(attempts);
      known.requests += 1;
      const reply = { ...speak(request, known.requests), delayMs: random.between(4, 25) };
      if (known.failures >= MOST_FAILURES || !random.chance(rate)) return reply;
      known.failures += 1;
      return { ...reply, ...random.pick(FAILURES)(random) };
    },
  };
}

const FAILURES: readonly ((random: Random) => Partial<ModelReply>)[] = [
  () => ({ status: 429, retryAfterSeconds: 1 }),
  () => ({ status: 500 }),
  () => ({ cutAfter: 0 }),
  (random) => ({ cutAfter: random.between(1, 8) }),
];

function speak(request: ChatRequest, attempt: number): ModelReply {
  const ask = readAsk(lastUserText(request));
  const sinceAsk = request.messages.slice(request.messages.findLastIndex((message) => message.role === 'user'));
  const results = sinceAsk.filter((message) => message.role === 'tool').length;
  const isHelper = request.messages.some((message) => message.role === 'system' && textOf(message) === HELPER_PROMPT);
  const calls = callsOf(ask, results, isHelper);
  if (calls.length === 0) return { text: answerText(ask, attempt) };
  return { text: thoughtText(ask, results, attempt), toolCalls: calls };
}

function callsOf(ask: Ask, results: number, isHelper: boolean): NonNullable<ModelReply['toolCalls']> {
  const record = (part: string | number) => ({ name: 'record', args: { effect: effectName(ask, part) } });
  if (isHelper) return [record('help')];
  if (ask.kind === 'tool') return results === 0 ? [record(0)] : [];
  if (ask.kind === 'chain') return results < ask.calls ? [record(results)] : [];
  if (ask.kind === 'approve') return results === 0 ? [{ name: 'send', args: { effect: effectName(ask, 'send') } }] : [];
  if (ask.kind === 'parallel')
    return results === 0 ? Array.from({ length: ask.calls }, (_, index) => record(index)) : [];
  return [];
}

function keyOf({ messages }: ChatRequest): string {
  return createHash('sha1').update(JSON.stringify(messages)).digest('base64');
}

function forgetOldest(attempts: Map<string, unknown>): void {
  const [oldest] = attempts.keys();
  if (attempts.size > REQUESTS_KEPT && oldest !== undefined) attempts.delete(oldest);
}
