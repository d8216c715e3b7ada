/**
 * The messages that the chaos program sends as a user, and the results that it expects. The text of
 * a message contains all parameters of its run. So the model server and the checker read them from
 * the message and need no other channel.
 */
import { expectedEnd, isMischief, type Mischief } from './mischief.js';

/**
 * What the agent does for a message before it answers. An effect is a request to an outside
 * service, the ledger.
 * - `plain`: nothing.
 * - `tool`: one tool call.
 * - `chain`: several tool calls, one after the other.
 * - `parallel`: several tool calls at once, each in a graph task of its own.
 * - `approve`: one tool call, which a person approves or rejects.
 * - `helper`: a subgraph, which performs two effects.
 * - `stamp`: an effect in the first node of the run.
 */
export const KINDS = ['plain', 'tool', 'chain', 'parallel', 'approve', 'helper', 'stamp'] as const;
export type AskKind = (typeof KINDS)[number];
export const DECISIONS = ['approve', 'reject'] as const;
export type AskDecision = (typeof DECISIONS)[number];

export interface Ask {
  /** Name of the conversation. */
  conversation: string;
  /** Number of the message in its conversation, from 1. */
  n: number;
  kind: AskKind | Mischief;
  /**
   * Number of tool calls that the model makes if `kind` is `chain` or `parallel`. Number of seconds if
   * it is `block`.
   */
  calls: number;
  /** Number of words in the answer. */
  words: number;
}

export function sayAsk({ conversation, n, kind, calls, words }: Ask): string {
  return `ask ${conversation}.${n} ${kind} calls=${calls} words=${words}`;
}

export function readAsk(text: string): Ask {
  const found = /^ask (\S+)\.(\d+) (\w+) calls=(\d+) words=(\d+)$/.exec(text);
  const [, conversation, n, kind, calls, words] = found ?? [];
  if (conversation === undefined || !isKind(kind)) throw new Error(`not a message of chaos: ${text}`);
  return { conversation, n: Number(n), kind, calls: Number(calls), words: Number(words) };
}

function isKind(kind = ''): kind is Ask['kind'] {
  return isMischief(kind) || KINDS.includes(kind as AskKind);
}

/**
 * Returns the name of an effect. No two effects of a message have the same `part`, so each name is
 * unique.
 */
export function effectName({ conversation, n }: Pick<Ask, 'conversation' | 'n'>, part: string | number): string {
  return `${conversation}.${n}/${part}`;
}

/**
 * Returns the answer of the model. Answers to the same request differ in `attempt`, because a real
 * model would answer differently each time.
 */
export function answerText({ conversation, n, words }: Ask, attempt: number): string {
  const numbered = Array.from({ length: words }, (_, index) => `w${index + 1}`);
  return [`answer ${conversation}.${n} try ${attempt}:`, ...numbered].join(' ');
}

/** Returns the text that the model writes beside its tool calls. */
export function thoughtText({ conversation, n }: Ask, round: number, attempt: number): string {
  return `thinking ${conversation}.${n} round ${round} try ${attempt}: one two three`;
}

/**
 * Replaces the attempt number in a text of the model by `*`, so that texts of different attempts
 * are equal.
 */
export function withoutAttempt(text: string): string {
  return text.replace(/ try \d+:/, ' try *:');
}

const ANY = 0;

/**
 * A message that the thread must contain. In a text of the model, the attempt number is replaced by
 * `*` ({@link withoutAttempt}).
 */
export interface Expected {
  type: 'human' | 'ai' | 'tool';
  text: string;
}

/**
 * Returns the messages that one user message must add to the thread, in order. Results of parallel
 * tool calls have the order of the calls.
 */
export function expectedTurn(ask: Ask, decision: AskDecision | undefined): Expected[] {
  const human: Expected = { type: 'human', text: sayAsk(ask) };
  const answer: Expected = { type: 'ai', text: withoutAttempt(answerText(ask, ANY)) };
  const round = (index: number, results: string[]): Expected[] => [
    { type: 'ai', text: withoutAttempt(thoughtText(ask, index, ANY)) },
    ...results.map((text): Expected => ({ type: 'tool', text })),
  ];
  const done = (part: string | number) => `done ${effectName(ask, part)}`;
  const numbers = Array.from({ length: ask.calls }, (_, index) => index);
  switch (ask.kind) {
    case 'plain':
    case 'stamp':
      return [human, answer];
    case 'tool':
      return [human, ...round(0, [done(0)]), answer];
    case 'chain':
      return [human, ...numbers.flatMap((index) => round(index, [done(index)])), answer];
    case 'parallel':
      return [human, ...round(0, numbers.map(done)), answer];
    case 'approve':
      return [
        human,
        ...round(0, [decision === 'approve' ? done('send') : `rejected ${effectName(ask, 'send')}`]),
        answer,
      ];
    case 'helper':
      return [human, ...round(0, [done('help')]), answer];
    default:
      // A misbehaving agent answers if its run goes on after that.
      return expectedEnd(ask).status === 'success' ? [human, answer] : [human];
  }
}

/** Returns the names of the effects that one user message must cause. */
export function expectedEffects(ask: Ask, decision: AskDecision | undefined): string[] {
  const named = (...parts: (string | number)[]) => parts.map((part) => effectName(ask, part));
  switch (ask.kind) {
    case 'plain':
      return [];
    case 'stamp':
      return named('stamp');
    case 'tool':
      return named(0);
    case 'chain':
    case 'parallel':
      return named(...Array.from({ length: ask.calls }, (_, index) => index));
    case 'approve':
      return decision === 'approve' ? named('send') : [];
    case 'helper':
      return named('mark', 'help');
    default:
      return [];
  }
}
