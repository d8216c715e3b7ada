import { describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { labels, wantedLabels, withLabels } from '../../../threads/records/record-fields.js';

const sha256 = (text: string) => `acme sha256 ${createHash('sha256').update(text).digest('base64url')}`;
const many = (count: number) => Array.from({ length: count }, (_, n) => n);
const tooMany = (most: number) => ({
  code: 'invalid_argument',
  message: `metadata: has more than ${most} values, with those inside of it`,
});
const thrownBy = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return error;
  }
};

describe('labels', () => {
  it('are text of up to 256 characters, then the hash of the whole text, as in records there are', () => {
    const at = (key: string, inner: unknown) => labels('acme', { [key]: inner });
    expect(labels('acme', { a: { b: 1 }, l: ['x', { d: 1, c: 2 }], e: {}, n: null })).toEqual([
      'acme "a": {}',
      'acme "a"."b": 1',
      'acme "l": []',
      'acme "l".[]: "x"',
      'acme "l".[]: {"c":2,"d":1}',
      'acme "e": {}',
      'acme "n": null',
    ]);
    const fits = 'k'.repeat(256 - 'acme "": 1'.length);
    expect(at(fits, 1)).toEqual([`acme "${fits}": 1`]);
    expect(at(fits, 10)).toEqual([sha256(`acme "${fits}": 10`)]);
    const long = 'ü😀\ud800"'.repeat(300);
    const key = JSON.stringify(long);
    expect(at(long, { [long]: [1, 'x'.repeat(300)], z: 'y' })).toEqual([
      sha256(`acme ${key}: {}`),
      sha256(`acme ${key}.${key}: []`),
      sha256(`acme ${key}.${key}.[]: 1`),
      sha256(`acme ${key}.${key}.[]: "${'x'.repeat(300)}"`),
      sha256(`acme ${key}."z": "y"`),
    ]);
  });

  it('do not hash a path again for each value behind it', () => {
    const update = jest.spyOn(
      Object.getPrototypeOf(createHash('sha256')) as { update: (text: string) => unknown },
      'update',
    );
    try {
      const long = 'k'.repeat(100_000);
      const inside = Object.fromEntries(many(4_000).map((n) => [`key${n}`, n]));
      expect(labels('acme', { [long]: many(4_000), o: { [long]: inside } })).toHaveLength(8_003);
      const hashed = update.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
      expect(hashed).toBeLessThan(10 * long.length);
    } finally {
      update.mockRestore();
    }
  });

  it('are made of no more values than there may be, however they stand inside each other', () => {
    for (const metadata of [{ a: many(10_000) }, { a: [{ b: many(9_999) }] }, { a: [many(10_000)] }]) {
      expect(thrownBy(() => labels('acme', metadata))).toMatchObject(tooMany(10_000));
    }
    expect(labels('acme', { a: many(9_999) })).toHaveLength(10_000);
    expect(thrownBy(() => wantedLabels('acme', { a: many(200) }))).toMatchObject(tooMany(200));
    const wanted = wantedLabels('acme', { a: many(199) });
    expect(wanted).toHaveLength(199);
    const required = { equal: { b: 1 }, contains: { c: [1] } };
    expect(thrownBy(() => withLabels('acme', wanted, required))).toMatchObject(tooMany(200));
  });
});
