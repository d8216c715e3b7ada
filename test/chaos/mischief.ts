import type { Ask } from './script.js';

/**
 * How a misbehaving agent behaves before it answers.
 * - `exit`: ends its process with exit code 3, at each execution.
 * - `kill`: ends its process with SIGKILL, at each execution.
 * - `uncaught`: a timer throws while the node waits for something that never comes.
 * - `once`: ends its process, but only in the first attempt of its step.
 * - `later`: ends its process one second after the node has returned. Other runs may work in it then.
 * - `block`: does not return to the event loop for some seconds.
 * - `throw`: throws something that is no ordinary error.
 * - `deaf`: never ends, and ignores its signal. The user cancels the run.
 */
export const MISCHIEF = ['exit', 'kill', 'uncaught', 'once', 'later', 'block', 'throw', 'deaf'] as const;
export type Mischief = (typeof MISCHIEF)[number];

/** The misbehaviour that always ends the process, so that its run is to blame. */
export const CRASHING: readonly string[] = ['exit', 'kill', 'uncaught'] satisfies Mischief[];

export const EXIT_CODE = 3;
/** Texts of the values that `throw` throws. The number of the message selects one. */
export const THROWN = ['null', 'Symbol(odd)', 'its own cause'] as const;

export function isMischief(kind: string): kind is Mischief {
  return MISCHIEF.includes(kind as Mischief);
}

/** Returns the message of the exception that the timer of `uncaught` throws. */
export function uncaughtText({ conversation, n }: Pick<Ask, 'conversation' | 'n'>): string {
  return `uncaught in ${conversation}.${n}`;
}

export function thrownText({ n }: Pick<Ask, 'n'>): string {
  return THROWN[n % THROWN.length] ?? '';
}

/** How a run must end. A part of its error is given as text. */
export interface ExpectedEnd {
  status: 'success' | 'error' | 'interrupted';
  error?: string;
}

/** Returns how the run of a misbehaving agent must end. */
export function expectedEnd(ask: Pick<Ask, 'conversation' | 'n' | 'kind'>): ExpectedEnd {
  switch (ask.kind) {
    case 'exit':
      return { status: 'error', error: `exit code ${EXIT_CODE}` };
    case 'kill':
      return { status: 'error', error: 'signal SIGKILL' };
    case 'uncaught':
      return { status: 'error', error: uncaughtText(ask) };
    case 'throw':
      return { status: 'error', error: thrownText(ask) };
    case 'deaf':
      return { status: 'interrupted' };
    default:
      return { status: 'success' };
  }
}
