import { describe, expect, it } from '@jest/globals';
import { WHOLE_IN_RECORD, isSameRunError, shortRunError, storedRunError } from '../../protocol/index.js';

const MARK = "… (5,000,000 characters; the run's record has the whole text)";

describe('the error of a run', () => {
  it('is unchanged if its texts are short', () => {
    const error = { error: 'E'.repeat(200), message: 'm'.repeat(4_000) };
    expect(shortRunError(error, WHOLE_IN_RECORD)).toEqual(error);
    expect(storedRunError(error)).toEqual(error);
  });

  it('is cut to 200 and 4,000 characters, with a mark at the end of each text', () => {
    const long = { error: 'E'.repeat(5_000_000), message: 'm'.repeat(5_000_000) };
    const short = shortRunError(long, WHOLE_IN_RECORD);
    expect(short).toEqual({
      error: 'E'.repeat(200 - MARK.length) + MARK,
      message: 'm'.repeat(4_000 - MARK.length) + MARK,
    });
    expect(shortRunError(short, WHOLE_IN_RECORD)).toEqual(short);
    expect(shortRunError({ error: 'E', message: 'm'.repeat(4_001) }).message).toMatch(/m… \(4,001 characters\)$/);
  });

  it('is not cut inside a surrogate pair', () => {
    for (const prefix of ['', 'm']) {
      const { message } = shortRunError({ error: 'E', message: prefix + '\u{1f600}'.repeat(3_000) });
      expect(message).toMatch(/^m?\u{1f600}+… \(6,00[01] characters\)$/u);
    }
  });

  it.each([
    ['ASCII', 'm'],
    ['NUL, which takes six bytes in JSON', '\0'],
    ['quotes', '"'],
    ['letters of two bytes', 'ä'],
    ['letters of three bytes', '字'],
    ['surrogate pairs', '\u{1f600}'],
  ])('takes at most 7 MB of JSON in a record: %s', (_title, character) => {
    const text = character.repeat(10 * 2 ** 20);
    const stored = storedRunError({ error: text, message: text });
    const bytes = Buffer.byteLength(JSON.stringify(stored));
    expect(bytes).toBeLessThan(7 * 2 ** 20 + 1_000);
    expect(bytes).toBeGreaterThan(6.5 * 2 ** 20);
    expect(stored.message).toMatch(/ characters; cut\)$/);
    expect(/\p{Surrogate}/u.test(stored.message)).toBe(false);
  });

  it('is equal to another one with the same texts', () => {
    const error = { error: 'E', message: 'm' };
    expect(isSameRunError(error, { ...error })).toBe(true);
    expect(isSameRunError(undefined, undefined)).toBe(true);
    expect(isSameRunError(error, { ...error, message: 'n' })).toBe(false);
    expect(isSameRunError(error, undefined)).toBe(false);
  });
});
