import { ColloquyError } from './errors.js';

/**
 * When a schedule fires. `expressions`: at each time that matches at least one of these cron
 * expressions. They have five fields (minute, hour, day of month, month, day of week) and use
 * numbers instead of names such as `MON`. `everySeconds`: at equal intervals.
 */
export type ScheduleTimes = { expressions: string[] } | { everySeconds: number };

interface CronField {
  name: string;
  min: number;
  max: number;
  names?: readonly string[];
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const MINUTE: CronField = { name: 'minute', min: 0, max: 59 };
const HOUR: CronField = { name: 'hour', min: 0, max: 23 };
const DAY: CronField = { name: 'day of month', min: 1, max: 31 };
const MONTH: CronField = { name: 'month', min: 1, max: 12, names: MONTHS };
/** Both 0 and 7 are Sunday. */
const WEEKDAY: CronField = { name: 'day of week', min: 0, max: 7, names: WEEKDAYS };

const SHORTHANDS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const EVERY = /^@every ([1-9]\d{0,6})([smhd])$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
/** Number of days of each month. 29 for February, because of leap years. */
const DAYS_IN_MONTH: readonly number[] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Parses a cron expression of five fields, a shorthand (`@daily`) or `@every <n>s|m|h|d`. Refuses
 * expressions with six or seven fields, because cron programs disagree about which of these fields
 * are the seconds and the year. If both day of month and day of week are restricted, a day needs to
 * match only one of them, as in cron programs. The file docs/decisions/2026-11-30-libraries.md says
 * why Colloquy has a parser of its own instead of a library. Errors: `invalid_argument`.
 */
export function readCronExpression(text: string): ScheduleTimes {
  const every = EVERY.exec(text.trim());
  if (every) return { everySeconds: Number(every[1]) * (SECONDS[every[2] ?? ''] ?? 0) };
  const parts = (SHORTHANDS[text.trim()] ?? text).trim().split(/\s+/);
  const [minutes, hours, days, months, weekdays] = parts;
  if (
    parts.length !== 5 ||
    minutes === undefined ||
    hours === undefined ||
    days === undefined ||
    months === undefined ||
    weekdays === undefined
  ) {
    throw invalid(
      'expected five fields (minute, hour, day of month, month, day of week), ' +
        'a shorthand such as @daily, or @every with a number and s, m, h or d',
    );
  }
  const minute = readField(MINUTE, minutes);
  const hour = readField(HOUR, hours);
  const day = readField(DAY, days);
  const month = readField(MONTH, months);
  const weekday = readField(WEEKDAY, weekdays);
  const expression = (d: string, w: string) => `${show(minute)} ${show(hour)} ${d} ${show(month)} ${w}`;
  if (day === 'any') return { expressions: [expression('*', show(weekday))] };
  if (weekday === 'any') {
    checkDays(day, month);
    return { expressions: [expression(show(day), '*')] };
  }
  return { expressions: [expression(show(day), '*'), expression('*', show(weekday))] };
}

const DAY_MINUTES = 1_440;

/** After 28 years the same dates fall on the same weekdays again. */
const CALENDAR_YEARS = 28;

/**
 * Returns the shortest time between two firings of a schedule, in seconds. For cron expressions,
 * the result is at most one day, even if the schedule fires less often. The time from the last
 * firing of one day to the first firing of the next day counts only if the schedule ever fires on
 * two consecutive days. Ignores changes for daylight saving.
 */
export function shortestGapSeconds(times: ScheduleTimes): number {
  if ('everySeconds' in times) return times.everySeconds;
  // The expressions of one schedule differ only in their days, so the first one is enough here.
  const [minute = '', hour = ''] = times.expressions[0]?.split(' ') ?? [];
  const minutes = valuesOf(MINUTE, minute);
  const firings = valuesOf(HOUR, hour).flatMap((h) => minutes.map((m) => h * 60 + m));
  const [first = 0] = firings;
  const nextDay = firesOnConsecutiveDays(times.expressions) ? [first + DAY_MINUTES] : [];
  const gaps = [...firings.slice(1), ...nextDay].map((next, index) => next - (firings[index] ?? 0));
  return Math.min(DAY_MINUTES, ...gaps) * 60;
}

function firesOnConsecutiveDays(expressions: string[]): boolean {
  const rules = expressions.map((expression) => {
    const [, , day = '', month = '', weekday = ''] = expression.split(' ');
    return {
      days: new Set(valuesOf(DAY, day)),
      months: new Set(valuesOf(MONTH, month)),
      weekdays: new Set(valuesOf(WEEKDAY, weekday)),
    };
  });
  let firesBefore = false;
  for (
    const date = new Date(0);
    date.getUTCFullYear() < 1970 + CALENDAR_YEARS;
    date.setUTCDate(date.getUTCDate() + 1)
  ) {
    const fires = rules.some(
      ({ days, months, weekdays }) =>
        days.has(date.getUTCDate()) && months.has(date.getUTCMonth() + 1) && weekdays.has(date.getUTCDay()),
    );
    if (fires && firesBefore) return true;
    firesBefore = fires;
  }
  return false;
}

function valuesOf({ min, max }: CronField, shown: string): number[] {
  if (shown !== '*') return shown.split(',').map(Number);
  return Array.from({ length: max - min + 1 }, (_, index) => min + index);
}

type Values = 'any' | number[];

function show(values: Values): string {
  return values === 'any' ? '*' : values.join(',');
}

function readField(field: CronField, text: string): Values {
  const values = new Set(text.split(',').flatMap((part) => readRange(field, part)));
  const numbers = [...(field === WEEKDAY ? new Set([...values].map((value) => value % 7)) : values)];
  const count = field === WEEKDAY ? 7 : field.max - field.min + 1;
  return numbers.length === count ? 'any' : numbers.sort((a, b) => a - b);
}

/**
 * Returns the numbers of one element of a field's list. An element is a star, a value or a range,
 * each with or without a step: `10/15`, `1-31/2`.
 */
function readRange(field: CronField, part: string): number[] {
  const [range = '', step, ...rest] = part.split('/');
  const increment = step === undefined ? 1 : Number(/^\d{1,4}$/.test(step) ? step : Number.NaN);
  if (rest.length > 0 || !(increment >= 1))
    throw invalid(`${field.name} is "${part}"; expected a step of 1 or more behind one "/"`);
  const [first, last] = readBounds(field, range, step !== undefined);
  if (first > last) throw invalid(`${field.name} is "${part}"; the range goes backwards`);
  const values: number[] = [];
  for (let value = first; value <= last; value += increment) values.push(value);
  return values;
}

function readBounds(field: CronField, range: string, hasStep: boolean): [first: number, last: number] {
  const max = field === WEEKDAY ? 6 : field.max;
  if (range === '*' || (range === '?' && (field === DAY || field === WEEKDAY))) return [field.min, max];
  const [from = '', to, ...rest] = range.split('-');
  if (rest.length > 0) throw invalid(`${field.name} is "${range}"; expected at most one "-"`);
  const first = readValue(field, from);
  if (to === undefined) return [first, hasStep ? max : first];
  const last = readValue(field, to);
  // At the end of a range such as FRI-SUN, Sunday is day 7, not day 0.
  return [first, field === WEEKDAY && last === 0 && first > 0 ? 7 : last];
}

function readValue(field: CronField, text: string): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = named >= 0 ? named + field.min : Number(/^\d{1,2}$/.test(text) ? text : Number.NaN);
  if (value >= field.min && value <= field.max) return value;
  const names = field.names === undefined ? '' : `, or ${field.names[0]} to ${field.names.at(-1)}`;
  throw invalid(`${field.name} is "${text}"; expected ${field.min} to ${field.max}${names}`);
}

/**
 * Throws if none of the months is long enough for the earliest of these days, because then the
 * field day of month would never match. Not called if the day of week is restricted too, because
 * the schedule then fires on those weekdays.
 */
function checkDays(day: number[], month: Values): void {
  const months = month === 'any' ? DAYS_IN_MONTH : month.map((number) => DAYS_IN_MONTH[number - 1] ?? 0);
  const [earliest = 1] = day;
  if (earliest > Math.max(...months)) throw invalid(`day of month ${earliest} never comes in month ${show(month)}`);
}

function invalid(message: string): ColloquyError {
  return new ColloquyError('invalid_argument', message, { field: 'schedule' });
}

/**
 * Form of the names in the IANA time zone database. Upper and lower case matter. Offsets such as
 * `+01:00` do not match.
 */
const ZONE_NAME = /^[A-Z][A-Za-z0-9+-]*(_[A-Za-z]+)*(\/[A-Z][A-Za-z0-9+-]*(_[A-Za-z]+)*)*$/;

/** Returns whether the string is the name of an IANA time zone. */
export function isTimezone(name: string): boolean {
  if (!ZONE_NAME.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
