import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createItemStore, toEmbed, type Embedder } from '../../memory/index.js';
import { MemoryWorld, callerOf, letterVector } from './support.js';

let world: MemoryWorld;
beforeAll(async () => (world = await MemoryWorld.open('items')));
afterAll(() => world.close());

const letters = (id: string): Embedder => ({
  id,
  dims: 26,
  fields: ['text'],
  embed: async (texts) => texts.map(letterVector),
});
const everything = { namespacePrefix: [], limit: 100, offset: 0 };
/**
 * Moves the expiry of all items of the tenant into the past. Items without an expiry do not change.
 */
async function expire(tenant: string): Promise<void> {
  await world.db
    .collection('items')
    .updateMany({ tenant, expiresAt: { $exists: true } }, { $set: { expiresAt: new Date(0) } });
}
async function expiryOf(tenant: string, key: string): Promise<unknown> {
  return (await world.db.collection('items').findOne({ tenant, key }))?.['expiresAt'];
}

describe('items of different tenants', () => {
  it('are separate: no tenant reads, lists or clears the items of another tenant', async () => {
    const items = world.items();
    await items.putItems(callerOf('left'), [{ namespace: ['n'], key: 'k', value: { of: 'left' } }]);
    await items.putItems(callerOf('left-2'), [{ namespace: ['n'], key: 'k', value: { of: 'left-2' } }]);

    expect((await items.getItem(callerOf('left'), ['n'], 'k'))?.value).toEqual({ of: 'left' });
    expect(await items.searchItems(callerOf('left'), everything)).toHaveLength(1);
    expect(await items.listNamespaces(callerOf('right'), {})).toEqual([]);
    await items.clear(callerOf('left'));
    expect(await items.getItem(callerOf('left'), ['n'], 'k')).toBeNull();
    expect((await items.getItem(callerOf('left-2'), ['n'], 'k'))?.value).toEqual({ of: 'left-2' });
  });
});

describe('the expiry of items', () => {
  it('hides expired items that the database has not removed yet', async () => {
    const [items, caller] = [world.items(), callerOf('expired')];
    await items.putItems(caller, [
      { namespace: ['n'], key: 'short', value: {}, ttl: 5 },
      { namespace: ['long'], key: 'long', value: {} },
    ]);
    await expire('expired');

    expect(await items.getItem(caller, ['n'], 'short')).toBeNull();
    expect((await items.searchItems(caller, everything)).map(({ key }) => key)).toEqual(['long']);
    expect(await items.listNamespaces(caller, {})).toEqual([['long']]);
  });

  it('lets a new item replace an expired one, with a new creation time', async () => {
    const [items, caller] = [world.items(), callerOf('anew')];
    await items.putItems(caller, [{ namespace: ['n'], key: 'k', value: { n: 1 }, ttl: 5 }]);
    await expire('anew');
    await world.db.collection('items').updateOne({ tenant: 'anew' }, { $set: { createdAt: new Date(0) } });
    await items.putItems(caller, [{ namespace: ['n'], key: 'k', value: { n: 2 } }]);

    const item = await items.getItem(caller, ['n'], 'k');
    expect(item?.value).toEqual({ n: 2 });
    expect(item?.createdAt.getTime()).toBeGreaterThan(0);
    expect(await expiryOf('anew', 'k')).toBeUndefined();
  });

  it('is extended by a read, unless the settings of the store disable this; options of the read override the settings', async () => {
    const caller = callerOf('read');
    const soon = new Date(Date.now() + 60_000);
    const reread = async (
      refreshOnRead: boolean | undefined,
      refreshTtl: boolean | undefined,
      by: 'get' | 'search',
    ) => {
      const items = world.items({ ttl: { ...(refreshOnRead !== undefined && { refreshOnRead }) } });
      await items.putItems(caller, [{ namespace: ['n'], key: 'k', value: {}, ttl: 60 }]);
      await world.db.collection('items').updateOne({ tenant: 'read' }, { $set: { expiresAt: soon } });
      const options = refreshTtl === undefined ? {} : { refreshTtl };
      await (by === 'get'
        ? items.getItem(caller, ['n'], 'k', options)
        : items.searchItems(caller, { ...everything, ...options }));
      return ((await expiryOf('read', 'k')) as Date) > soon;
    };
    expect(await reread(undefined, undefined, 'get')).toBe(true);
    expect(await reread(undefined, undefined, 'search')).toBe(true);
    expect(await reread(undefined, false, 'get')).toBe(false);
    expect(await reread(false, undefined, 'search')).toBe(false);
    expect(await reread(false, true, 'get')).toBe(true);
  });

  it('comes from the default time to live of the store if the item has none of its own', async () => {
    const [items, caller] = [world.items({ ttl: { defaultMinutes: 10 } }), callerOf('default-ttl')];
    const before = Date.now();
    await items.putItems(caller, [
      { namespace: ['n'], key: 'default', value: {} },
      { namespace: ['n'], key: 'forever', value: {}, ttl: null },
    ]);
    const expiry = ((await expiryOf('default-ttl', 'default')) as Date).getTime();
    expect(expiry).toBeGreaterThanOrEqual(before + 600_000);
    expect(expiry).toBeLessThanOrEqual(Date.now() + 600_000);
    expect(await expiryOf('default-ttl', 'forever')).toBeUndefined();
  });

  it('is enforced by a TTL index of the database', async () => {
    const indexes = await world.db.collection('items').indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
  });
});

describe('the vector index of the item store', () => {
  it('never compares vectors of different embedders', async () => {
    const caller = callerOf('embedders');
    await world
      .items({ index: letters('old') })
      .putItems(caller, [{ namespace: ['n'], key: 'k', value: { text: 'ab' } }]);
    const search = { ...everything, query: 'ab' };
    expect(await world.items({ index: letters('old') }).searchItems(caller, search)).toMatchObject([{ score: 1 }]);
    const [found] = await world.items({ index: letters('new') }).searchItems(caller, search);
    expect(found).toMatchObject({ key: 'k' });
    expect(found).not.toHaveProperty('score');
  });

  it('removes the vectors of an item that is written again with index: false', async () => {
    const [items, caller] = [world.items({ index: letters('letters') }), callerOf('unindexed')];
    await items.putItems(caller, [{ namespace: ['n'], key: 'k', value: { text: 'ab' } }]);
    await items.putItems(caller, [{ namespace: ['n'], key: 'k', value: { text: 'ab' }, index: false }]);
    const [found] = await items.searchItems(caller, { ...everything, query: 'ab' });
    expect(found).not.toHaveProperty('score');
  });

  it('refuses a search that would rank more items than maxRanked', async () => {
    const caller = callerOf('bound');
    const items = createItemStore({
      db: world.db,
      index: letters('letters'),
      maxRanked: 2,
    });
    await items.putItems(
      caller,
      ['a', 'b', 'c'].map((text) => ({ namespace: ['n'], key: text, value: { text } })),
    );
    await expect(items.searchItems(caller, { ...everything, query: 'a' })).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('more than 2 items'),
    });
    const filter = { text: { $in: ['a', 'b'] } };
    expect(await items.searchItems(caller, { ...everything, filter, query: 'a' })).toHaveLength(2);
  });

  it('refuses vectors whose number of dimensions is not the configured number', async () => {
    const index = { ...letters('letters'), dims: 3 };
    const put = world
      .items({ index })
      .putItems(callerOf('dims'), [{ namespace: ['n'], key: 'k', value: { text: 'ab' } }]);
    await expect(put).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'store.index: letters returned 1 vectors of 26 dimensions; expected 1 vectors of 3',
    });
  });

  it('accepts only a function or LangChain embeddings as embedder', async () => {
    expect(await toEmbed((texts: string[]) => texts.map(letterVector))?.(['a'])).toEqual([letterVector('a')]);
    expect(await toEmbed({ embedDocuments: async (texts: string[]) => texts.map(letterVector) })?.(['a'])).toEqual([
      letterVector('a'),
    ]);
    expect(toEmbed({})).toBeUndefined();
    expect(toEmbed(undefined)).toBeUndefined();
  });
});

describe('the texts that the store embeds for an item', () => {
  const setUp = (fields: string[] = ['text']) => {
    const embeddedTexts: string[][] = [];
    const embed = async (texts: string[]) => {
      embeddedTexts.push(texts);
      return texts.map(letterVector);
    };
    return { embeddedTexts, store: world.graphStore({ index: { ...letters('limits'), fields, embed } }) };
  };
  const list = (count: number) => Array<string>(count).fill('x');
  const nested = (levels: number): unknown => (levels === 0 ? list(4_000) : [nested(levels - 1)]);

  it.each([
    ['more than 100 paths', {}, Array.from({ length: 101 }, (_, n) => `p${n}`), '100 paths to embed'],
    ['more than 1,000 texts', { a: list(1_001) }, ['a[*]'], '1000 texts to embed'],
    ['more than 1,000 texts of several paths', { a: list(501), b: list(500) }, ['a[*]', '*[*]'], '1000 texts to embed'],
    ['a text that is too long', { a: 'x'.repeat(1_000_001) }, ['a'], '1000000 characters to embed'],
    ['texts whose sum is too long', { a: 'x'.repeat(500_001) }, ['a', '*'], '1000000 characters to embed'],
    [
      'a text that is long because of escapes',
      { a: { b: '\u0001'.repeat(200_000) } },
      ['a'],
      '1000000 characters to embed',
    ],
    ['a text that is long because of indents', { a: nested(200) }, ['$'], '1000000 characters to embed'],
    ['paths through too many values', { a: list(100_000) }, ['a[*].b'], '100000 values'],
    [
      'paths whose sum of values is too large',
      { a: list(10_000) },
      Array.from({ length: 11 }, (_, n) => `a[*].p${n}`),
      '100000 values',
    ],
  ])(
    'are refused because of %s, whether the put request or the project names the paths',
    async (_name, value, paths, message) => {
      const expected = {
        code: 'invalid_argument',
        message: expect.stringMatching(new RegExp(`^index: item "k" of namespace n\\.m has .*more than ${message}$`)),
      };
      const ofItem = setUp();
      await expect(ofItem.store.put(['n', 'm'], 'k', value, paths)).rejects.toMatchObject(expected);
      const ofProject = setUp(paths);
      await expect(ofProject.store.put(['n', 'm'], 'k', value)).rejects.toMatchObject(expected);
      expect([ofItem.embeddedTexts, ofProject.embeddedTexts]).toEqual([[], []]);
      expect(await ofItem.store.get(['n', 'm'], 'k')).toBeNull();
    },
  );

  it('are collected path by path, each path only once; texts of the same path keep their order in the value', async () => {
    const { embeddedTexts, store } = setUp();
    const value = { a: ['x', null, { c: 'y' }, 'z'], b: { c: 'w' }, constructor: 'v' };
    const paths = ['a[*]', 'b.c', 'a[*]', 'a[-1]', 'a[*].c', '*.c', 'a.constructor', 'constructor', 'b.c'];
    await store.put(['n'], 'k', value, paths);
    expect(embeddedTexts).toEqual([['x', '{\n  "c": "y"\n}', 'z', 'w', 'z', 'y', 'w', 'v']]);
    await store.put(['n'], 'most', { a: list(1_000) }, Array<string>(1_000).fill('a[*]'));
    expect(embeddedTexts[1]).toHaveLength(1_000);
  });
});

describe('filters of a search for items', () => {
  it('that use $gt, $gte, $lt or $lte match numbers, strings, booleans and null, never objects or lists', async () => {
    const [items, caller] = [world.items(), callerOf('order')];
    const values: unknown[] = [{ toString: 1, valueOf: 1 }, [], [5], {}, 5, '5', true, null];
    await items.putItems(
      caller,
      values.map((a, n) => ({ namespace: ['n'], key: String(n), value: { a } })),
    );
    const found = async (filter: Record<string, unknown>) =>
      (await items.searchItems(caller, { ...everything, filter })).map(({ key }) => key);
    expect(await found({ a: { $gt: 4 } })).toEqual(['4', '5']);
    expect(await found({ a: { $gte: 0 } })).toEqual(['4', '5', '6', '7']);
    expect(await found({ a: { $lt: '2' } })).toEqual(['6', '7']);
    expect(await found({ a: { $lte: null } })).toEqual(['7']);
    for (const name of ['$gt', '$gte', '$lt', '$lte']) {
      for (const operand of [{ toString: 1, valueOf: 1 }, [], [5], {}]) {
        await expect(found({ a: { [name]: operand } })).rejects.toMatchObject({
          code: 'invalid_argument',
          message: `filter.a.${name}: expected a number, a string, a boolean or null`,
        });
      }
    }
  });

  it('compare objects and lists by content, even large ones', async () => {
    const [items, caller] = [world.items(), callerOf('equal')];
    const large = Array.from({ length: 1_001 }, (_, n) => n);
    const values: unknown[] = [{ b: [1], c: 2 }, [{ b: 1 }], large, 'x'];
    await items.putItems(
      caller,
      values.map((a, n) => ({ namespace: ['n'], key: String(n), value: { a } })),
    );
    const found = async (test: unknown) =>
      (await items.searchItems(caller, { ...everything, filter: { a: test } })).map(({ key }) => key);
    expect(await found({ c: 2, b: [1] })).toEqual(['0']);
    expect(await found({ $in: [{ c: 2, b: [1] }, [{ b: 1 }], [0]] })).toEqual(['0', '1']);
    expect(await found({ $nin: ['x', [{ b: 1 }]] })).toEqual(['0', '2']);
    expect(await found({ $ne: [{ b: 1 }] })).toEqual(['0', '2', '3']);
  });

  it('that have more than 1,000 values are refused before anything is read or embedded', async () => {
    const embeddedTexts: string[][] = [];
    const embed = async (texts: string[]) => {
      embeddedTexts.push(texts);
      return texts.map(letterVector);
    };
    const items = world.items({ index: { ...letters('filters'), embed } });
    const search = (filter: Record<string, unknown>) =>
      items.searchItems(callerOf('nobody'), { ...everything, query: 'a', filter });
    const some = (count: number) => Array.from({ length: count }, (_, n) => n);
    for (const filter of [{ a: { $in: some(999) } }, { a: { $nin: [some(998)] } }, { a: some(1_000) }]) {
      await expect(search(filter)).rejects.toMatchObject({
        code: 'invalid_argument',
        message: 'filter: has more than 1000 values, nested ones included',
      });
    }
    expect(embeddedTexts).toEqual([]);
    expect(await search({ a: { $in: some(998) } })).toEqual([]);
  });
});

it('the item store refuses an unknown operator of a filter and names it', async () => {
  const search = world.items().searchItems(callerOf('operators'), { ...everything, filter: { n: { $near: 1 } } });
  await expect(search).rejects.toMatchObject({
    code: 'invalid_argument',
    message: 'filter.n.$near: unknown operator; expected one of $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin',
  });
});

it('the item store refuses a value of more than 12 MB', async () => {
  const value = { text: 'x'.repeat(13 * 2 ** 20) };
  const put = world.items().putItems(callerOf('large'), [{ namespace: ['n'], key: 'k', value }]);
  await expect(put).rejects.toMatchObject({ code: 'too_large' });
});
