import { describe, expect, it } from '@jest/globals';
import { isTimezone, readCronExpression, shortestGapSeconds } from '../../protocol/index.js';

function expressions(text: string): string[] | number {
  const times = readCronExpression(text);
  return 'everySeconds' in times ? times.everySeconds : times.expressions;
}

describe('a cron expression', () => {
  it.each([
    ['* * * * *', ['* * * * *']],
    [' 5  4 * * * ', ['5 4 * * *']],
    ['*/15 8-18/5 * * MON-FRI', ['0,15,30,45 8,13,18 * * 1,2,3,4,5']],
    ['50/5 0 1 jan,DEC ?', ['50,55 0 1 1,12 *']],
    ['0 0 * * 7', ['0 0 * * 0']],
    ['0 0 * * FRI-SUN', ['0 0 * * 0,5,6']],
    ['0 0 * * 0-7', ['0 0 * * *']],
    ['0 0 29 2 *', ['0 0 29 2 *']],
    ['0 0 * * 1/2', ['0 0 * * 1,3,5']],
    ['0 0 1-5,3 * *', ['0 0 1,2,3,4,5 * *']],
    ['@midnight', ['0 0 * * *']],
    ['@daily', ['0 0 * * *']],
    ['@weekly', ['0 0 * * 0']],
    ['@every 90s', 90],
    ['@every 2h', 7200],
  ])('%s is read as %j', (text, expected) => {
    expect(expressions(text)).toEqual(expected);
  });

  it('fires on each day that matches the day of month or the day of week, if the expression restricts both', () => {
    expect(expressions('0 9 1,15 * MON')).toEqual(['0 9 1,15 * *', '0 9 * * 1']);
    expect(expressions('0 9 */1 * MON')).toEqual(['0 9 * * 1']);
    expect(expressions('0 9 31 2 MON')).toEqual(['0 9 31 2 *', '0 9 * 2 1']);
  });

  it.each([
    ['', 'expected five fields'],
    ['* * * *', 'expected five fields'],
    ['0 * * * * *', 'expected five fields'],
    ['0 * * * * * 2030', 'expected five fields'],
    ['@reboot', 'expected five fields'],
    ['@every 0s', 'expected five fields'],
    ['CRON_TZ=UTC 0 * * * *', 'expected five fields'],
    ['60 * * * *', 'minute is "60"; expected 0 to 59'],
    ['* 24 * * *', 'hour is "24"; expected 0 to 23'],
    ['* * 0 * *', 'day of month is "0"; expected 1 to 31'],
    ['* * * 13 *', 'month is "13"; expected 1 to 12, or JAN to DEC'],
    ['* * * * MOO', 'day of week is "MOO"; expected 0 to 7, or SUN to SAT'],
    ['5-1 * * * *', 'minute is "5-1"; the range goes backwards'],
    ['1-2-3 * * * *', 'expected at most one "-"'],
    ['*/0 * * * *', 'minute is "*/0"; expected a step of 1 or more'],
    ['*/1/2 * * * *', 'expected a step of 1 or more behind one "/"'],
    ['1,,2 * * * *', 'minute is ""; expected 0 to 59'],
    ['H 0 * * *', 'minute is "H"; expected 0 to 59'],
    ['? 0 * * *', 'minute is "?"; expected 0 to 59'],
    ['0 0 L * *', 'day of month is "L"; expected 1 to 31'],
    ['0 0 15W * *', 'day of month is "15W"; expected 1 to 31'],
    ['0 0 1 jan2 *', 'month is "jan2"; expected 1 to 12, or JAN to DEC'],
    ['0 0 * * 5#3', 'day of week is "5#3"; expected 0 to 7, or SUN to SAT'],
    ['0 0 30 2 *', 'day of month 30 never comes in month 2'],
    ['0 0 31 4,6 *', 'day of month 31 never comes in month 4,6'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => readCronExpression(text)).toThrow(message);
  });
});

describe('the shortest time between two firings', () => {
  it.each([
    ['@every 90s', 90],
    ['* * * * *', 60],
    ['*/15 * * * *', 900],
    ['0,59 * * * *', 60],
    ['30 8,20 * * *', 43_200],
    ['50 0,23 * * *', 3_600],
    ['50 0,23 * * 1', 82_800],
    ['0 9 1 * MON', 86_400],
    ['0,59 0,23 1-30 * *', 60],
    ['0,59 0,23 1,15 * *', 3_540],
    ['0,59 0,23 1,31 * *', 60],
    ['0,59 0,23 1 * SUN', 60],
    ['0,59 0,23 * 2 MON,THU', 3_540],
    ['@daily', 86_400],
  ])('of %s is %d s', (text, seconds) => {
    expect(shortestGapSeconds(readCronExpression(text))).toBe(seconds);
  });
});

describe('the name of a time zone', () => {
  it('must be in the time zone database, with the same spelling', () => {
    for (const name of ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5']) {
      expect([name, isTimezone(name)]).toEqual([name, true]);
    }
    for (const name of ['', 'europe/berlin', '+01:00', 'Mars/Olympus', 'Local']) {
      expect([name, isTimezone(name)]).toEqual([name, false]);
    }
  });
});
