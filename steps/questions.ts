import { ColloquyError, shortText, type Interrupt, type PendingInterrupt } from '../protocol/index.js';
import { shortName } from './short-names.js';
import { attempt, readField, textOf, wellFormed } from './thrown-value.js';

const PREVIEW_LENGTH = 500;
/** Length of a value in an error message. */
const SHOWN_LENGTH = 100;
/** A later deadline counts as none, because Temporal's timers do not reach that far. */
const LONGEST_WAIT_MS = 100 * 365 * 86_400_000;

export interface QuestionOptions {
  /**
   * True if the workflow gets a preview (at most 500 characters) and the default answer of each
   * question. Both then become part of the workflow history, although they are content of the
   * conversation.
   */
  showsQuestions?: boolean;
}

/**
 * Returns the question that an interrupt asks, in the form that the workflow gets. Preview and
 * default answer are content of the conversation, so they are set only if `shown`. A deadline that
 * {@link guardDeadline} would refuse is left out. Never throws, whatever the value is.
 */
export function questionOf(node: string, { id = '', value }: Interrupt, shown: boolean): PendingInterrupt {
  const read = deadlineOf(value);
  const deadline = typeof read === 'string' ? read : undefined;
  return {
    id,
    node: shortName(node),
    ...(shown && { preview: preview(value) }),
    ...(deadline !== undefined && { deadline }),
    ...(shown && deadline !== undefined && { defaultAnswer: shownAnswer(defaultAnswerOf(value)) }),
  };
}

/**
 * Checks the deadline that the value of an interrupt contains. Errors: `invalid_argument`. Without
 * this check, a question with a wrong deadline would wait for ever.
 */
export function guardDeadline(node: string, value: unknown): void {
  const read = deadlineOf(value);
  if (typeof read !== 'object') return;
  const { field, value: given, expected } = read;
  const text = typeof given === 'string' ? JSON.stringify(given) : textOf(given);
  const shown = shortText(wellFormed(text), SHOWN_LENGTH);
  const message = `${field} in the question of node ${shortName(node)} is ${shown}; expected ${expected}`;
  throw new ColloquyError('invalid_argument', message, { field });
}

/** Returns the default answer in an interrupt's value, or null if the value has none. */
export function defaultAnswerOf(value: unknown): unknown {
  return option(value, 'default') ?? null;
}

interface BadDeadline {
  field: string;
  value: unknown;
  expected: string;
}

/**
 * Returns the time until which the interrupt waits for an answer, in ISO 8601. Returns undefined if
 * the interrupt's value has no deadline.
 */
function deadlineOf(value: unknown): string | BadDeadline | undefined {
  const seconds = option(value, 'deadline_seconds');
  if (seconds !== undefined && seconds !== null) {
    const at = typeof seconds === 'number' ? Date.now() + seconds * 1000 : Number.NaN;
    if (isDate(at)) return textOfTime(at);
    const expected = 'a number of seconds from now, whose end is a valid date';
    return { field: 'colloquy.deadline_seconds', value: seconds, expected };
  }
  const deadline = option(value, 'deadline');
  if (deadline === undefined || deadline === null) return undefined;
  const at = parsed(deadline);
  if (isDate(at)) return textOfTime(at);
  const expected = 'a date and time in ISO 8601, such as 2030-01-31T12:00:00Z';
  return { field: 'colloquy.deadline', value: deadline, expected };
}

function isDate(ms: number): boolean {
  return !Number.isNaN(new Date(ms).getTime());
}

function textOfTime(ms: number): string | undefined {
  return ms - Date.now() > LONGEST_WAIT_MS ? undefined : new Date(ms).toISOString();
}

/** Returns a time in ms since the epoch. Returns NaN if the value is no time. */
function parsed(deadline: unknown): number {
  if (typeof deadline === 'string') return Date.parse(deadline);
  // Throws if the value is no date.
  return attempt(() => Date.prototype.getTime.call(deadline)) ?? Number.NaN;
}

/** Returns a field of the field `colloquy` of an interrupt's value. */
function option(value: unknown, name: 'deadline_seconds' | 'deadline' | 'default'): unknown {
  return readField(readField(value, 'colloquy'), name);
}

function preview(value: unknown): string {
  const text = textOf(value);
  return wellFormed(text.length <= PREVIEW_LENGTH ? text : `${text.slice(0, PREVIEW_LENGTH - 1)}…`);
}

/** Returns a default answer as it is shown: whole if it is short JSON, otherwise as a preview. */
function shownAnswer(value: unknown): unknown {
  const text = attempt(() => JSON.stringify(value) as string | undefined);
  if (text === undefined || text.length > PREVIEW_LENGTH) return preview(value);
  return JSON.parse(text) as unknown;
}
