/**
 * The messages of users and their expected results. A message contains all its parameters, so
 * client, model server and checker need no other channel.
 */

/**
 * - `plain`: an answer. `tool`: a tool call first. `chain`: several, one after the other. `parallel`: several at once, each a task of its own.
 * - `approve`: a tool call that a person decides. `helper`: a subgraph with effects of its own. `stamp`: an effect in the run's first step.
 */
export const KINDS = ['plain', 'tool', 'chain', 'parallel', 'approve', 'helper', 'stamp'] as const;
export type AskKind = (typeof KINDS)[number];
export const DECISIONS = ['approve', 'reject'] as const;
export type AskDecision = (typeof DECISIONS)[number];

export interface Ask {
  /** Name of the conversation. */
  conversation: string;
  /** Number of the message in it, from 1. */
  n: number;
  kind: AskKind;
  /** Tool calls that the model makes. */
  calls: number;
  /** Length of the answer. */
  words: number;
}

export function sayAsk({ conversation, n, kind, calls, words }: Ask): string {
  return `ask ${conversation}.${n} ${kind} calls=${calls} words=${words}`;
}

export function readAsk(text: string): Ask {
  const found = /^ask (\S+)\.(\d+) (\w+) calls=(\d+) words=(\d+)$/.exec(text);
  const [, conversation, n, kind, calls, words] = found ?? [];
  if (conversation === undefined || !KINDS.includes(kind as AskKind))
    throw new Error(`not a message of chaos: ${text}`);
  return { conversation, n: Number(n), kind: kind as AskKind, calls: Number(calls), words: Number(words) };
}

/** Returns the name of an effect. A message has each effect once. */
export function effectName({ conversation, n }: Pick<Ask, 'conversation' | 'n'>, part: string | number): string {
  return `${conversation}.${n}/${part}`;
}

/** `attempt` distinguishes answers to the same request, as those of a real model would differ. */
export function answerText({ conversation, n, words }: Ask, attempt: number): string {
  const numbered = Array.from({ length: words }, (_, index) => `w${index + 1}`);
  return [`answer ${conversation}.${n} try ${attempt}:`, ...numbered].join(' ');
}

/** Returns the text of the model beside its tool calls. */
export function thoughtText({ conversation, n }: Ask, round: number, attempt: number): string {
  return `thinking ${conversation}.${n} round ${round} try ${attempt}: one two three`;
}

/** Removes the attempt number from a text. */
export function withoutAttempt(text: string): string {
  return text.replace(/ try \d+:/, ' try *:');
}

const ANY = 0;

/** An expected message of a turn. Texts of the model have {@link withoutAttempt} applied. */
export interface Expected {
  type: 'human' | 'ai' | 'tool';
  text: string;
}

/**
 * Returns the expected messages of a turn in order. Those of a parallel step have the order of
 * their calls.
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
  }
}

/** Returns the names of the expected effects of a turn. */
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
  }
}
