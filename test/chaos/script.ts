/**
 * What people say and what must come of it. A message says all about itself, so that client, model server and checker need no other
 * channel between them.
 */

/**
 * - `plain`: an answer. `tool`: a tool call first. `chain`: several, one after the other. `parallel`: several at once, each a task of its own.
 * - `approve`: a tool call that a person decides. `helper`: a subgraph with effects of its own. `stamp`: an effect in the run's first step.
 */
export const KINDS = ['plain', 'tool', 'chain', 'parallel', 'approve', 'helper', 'stamp'] as const;
export type Kind = (typeof KINDS)[number];
export const DECISIONS = ['approve', 'reject'] as const;
export type Decision = (typeof DECISIONS)[number];

export interface Ask {
  /** Name of the conversation. */
  conversation: string;
  /** Number of the message in it, from 1. */
  n: number;
  kind: Kind;
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
  if (conversation === undefined || !KINDS.includes(kind as Kind)) throw new Error(`not a message of chaos: ${text}`);
  return { conversation, n: Number(n), kind: kind as Kind, calls: Number(calls), words: Number(words) };
}

/** Name of an effect; one message has each once. */
export function effectName({ conversation, n }: Pick<Ask, 'conversation' | 'n'>, part: string | number): string {
  return `${conversation}.${n}/${part}`;
}

/** `attempt` tells answers to the same request apart, as a real model's would differ. */
export function answerText({ conversation, n, words }: Ask, attempt: number): string {
  const numbered = Array.from({ length: words }, (_, index) => `w${index + 1}`);
  return [`answer ${conversation}.${n} try ${attempt}:`, ...numbered].join(' ');
}

/** What the model says with its tool calls. */
export function thoughtText({ conversation, n }: Ask, round: number, attempt: number): string {
  return `thinking ${conversation}.${n} round ${round} try ${attempt}: one two three`;
}

/** Of any attempt. */
export function withoutAttempt(text: string): string {
  return text.replace(/ try \d+:/, ' try *:');
}

const ANY = 0;

/** A message of a turn as the transcript must have it, with {@link withoutAttempt} applied to texts of the model. */
export interface Expected {
  type: 'human' | 'ai' | 'tool';
  text: string;
}

/** The messages of a turn, in order; those of a parallel step in the order of their calls. */
export function expectedTurn(ask: Ask, decision: Decision | undefined): Expected[] {
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

/** Names of the effects that a turn must have had. */
export function expectedEffects(ask: Ask, decision: Decision | undefined): string[] {
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
