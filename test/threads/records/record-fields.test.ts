import { describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { recordLabels, queryLabels, withLabels } from '../../../threads/records/record-fields.js';

const sha256 = (text: string) => `acme sha256 ${createHash('sha256').update(text).digest('base64url')}`;
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const tooManyValues = (limit: number) => ({
  code: 'invalid_argument',
  message: `metadata: has more than ${limit} values, nested ones included`,
});
const thrownBy = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return error;
  }
};

describe('the labels of metadata, by which a search finds records', () => {
  it('consist of tenant, path and value as text; a hash replaces a label of more than 256 characters', () => {
    const labelsUnder = (key: string, inner: unknown) => recordLabels('acme', { [key]: inner });
    expect(recordLabels('acme', { a: { b: 1 }, l: ['x', { d: 1, c: 2 }], e: {}, n: null })).toEqual([
      'acme "a": {}',
      'acme "a"."b": 1',
      'acme "l": []',
      'acme "l".[]: "x"',
      'acme "l".[]: {"c":2,"d":1}',
      'acme "e": {}',
      'acme "n": null',
    ]);
    const fits = 'k'.repeat(256 - 'acme "": 1'.length);
    expect(labelsUnder(fits, 1)).toEqual([`acme "${fits}": 1`]);
    expect(labelsUnder(fits, 10)).toEqual([sha256(`acme "${fits}": 10`)]);
    const long = 'ü😀\ud800"'.repeat(300);
    const key = JSON.stringify(long);
    expect(labelsUnder(long, { [long]: [1, 'x'.repeat(300)], z: 'y' })).toEqual([
      sha256(`acme ${key}: {}`),
      sha256(`acme ${key}.${key}: []`),
      sha256(`acme ${key}.${key}.[]: 1`),
      sha256(`acme ${key}.${key}.[]: "${'x'.repeat(300)}"`),
      sha256(`acme ${key}."z": "y"`),
    ]);
  });

  it('are created without hashing a long path again for each value under the path', () => {
    const update = jest.spyOn(
      Object.getPrototypeOf(createHash('sha256')) as { update: (text: string) => unknown },
      'update',
    );
    try {
      const long = 'k'.repeat(100_000);
      const inside = Object.fromEntries(numbers(4_000).map((n) => [`key${n}`, n]));
      expect(recordLabels('acme', { [long]: numbers(4_000), o: { [long]: inside } })).toHaveLength(8_003);
      const hashed = update.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
      expect(hashed).toBeLessThan(10 * long.length);
    } finally {
      update.mockRestore();
    }
  });

  it('cannot be created for metadata with too many values; nested values count too', () => {
    for (const metadata of [{ a: numbers(10_000) }, { a: [{ b: numbers(9_999) }] }, { a: [numbers(10_000)] }]) {
      expect(thrownBy(() => recordLabels('acme', metadata))).toMatchObject(tooManyValues(10_000));
    }
    expect(recordLabels('acme', { a: numbers(9_999) })).toHaveLength(10_000);
    expect(thrownBy(() => queryLabels('acme', { a: numbers(200) }))).toMatchObject(tooManyValues(200));
    const wanted = queryLabels('acme', { a: numbers(199) });
    expect(wanted).toHaveLength(199);
    const required = { equal: { b: 1 }, contains: { c: [1] } };
    expect(thrownBy(() => withLabels('acme', wanted, required))).toMatchObject(tooManyValues(200));
  });
});
