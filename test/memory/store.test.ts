import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AsyncBatchedStore, InMemoryStore, type BaseStore } from '@langchain/langgraph-checkpoint';
import { Embeddings } from '@langchain/core/embeddings';
import { MemoryWorld, letterVector } from './support.js';

class LetterEmbeddings extends Embeddings {
  constructor() {
    super({});
  }
  embedDocuments = async (texts: string[]) => texts.map(letterVector);
  embedQuery = async (text: string) => letterVector(text);
}

let world: MemoryWorld;
beforeAll(async () => (world = await MemoryWorld.open('store')));
afterAll(() => world.close());

const STORES: [string, (fields?: string[]) => BaseStore][] = [
  [
    'LangGraph in memory',
    (fields) => new InMemoryStore(fields && { index: { dims: 26, embeddings: new LetterEmbeddings(), fields } }),
  ],
  [
    'Colloquy in MongoDB',
    (fields) =>
      world.graphStore(
        fields && { index: { id: 'letters', dims: 26, fields, embed: async (texts) => texts.map(letterVector) } },
      ),
  ],
];

describe.each(STORES)("LangGraph's store interface, implemented by %s", (_name, open) => {
  let store: BaseStore;
  beforeEach(() => {
    store = open();
  });

  const keys = async (...args: Parameters<BaseStore['search']>) => (await store.search(...args)).map(({ key }) => key);

  it('returns a stored item, and null for an unknown one', async () => {
    await store.put(['users', 'ada'], 'profile', { name: 'Ada', langs: ['en', 'fr'], 'a.b': { $c: null } });

    const item = await store.get(['users', 'ada'], 'profile');
    expect(item).toEqual({
      namespace: ['users', 'ada'],
      key: 'profile',
      value: { name: 'Ada', langs: ['en', 'fr'], 'a.b': { $c: null } },
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(await store.get(['users', 'ada'], 'other')).toBeNull();
    expect(await store.get(['users'], 'profile')).toBeNull();
  });

  it('overwrites an item and keeps its creation time', async () => {
    await store.put(['users'], 'a', { n: 1, old: true });
    const first = await store.get(['users'], 'a');
    const createdAt = first?.createdAt;
    await store.put(['users'], 'a', { n: 2 });

    const second = await store.get(['users'], 'a');
    expect(second?.value).toEqual({ n: 2 });
    expect(second?.createdAt).toEqual(createdAt);
    expect(second?.updatedAt.getTime()).toBeGreaterThanOrEqual(createdAt?.getTime() ?? Infinity);
  });

  it('deletes an item; a second deletion does nothing', async () => {
    await store.put(['users'], 'a', { n: 1 });
    await store.delete(['users'], 'a');
    await store.delete(['users'], 'a');
    expect(await store.get(['users'], 'a')).toBeNull();
    expect(await store.search(['users'])).toEqual([]);
  });

  it('keeps two items apart if their namespaces and keys join to the same text, such as a/b/c', async () => {
    await store.put(['a', 'b'], 'c', { at: 'a b / c' });
    await store.put(['a'], 'b:c', { at: 'a / b:c' });
    await store.put(['a'], ':b', { at: 'a / :b' });
    await store.put(['a/b'], 'c', { at: 'a/b / c' });
    expect((await store.get(['a', 'b'], 'c'))?.value).toEqual({ at: 'a b / c' });
    expect((await store.get(['a'], 'b:c'))?.value).toEqual({ at: 'a / b:c' });
    expect((await store.get(['a'], ':b'))?.value).toEqual({ at: 'a / :b' });
    expect((await store.get(['a/b'], 'c'))?.value).toEqual({ at: 'a/b / c' });
  });

  it('searches a namespace and the namespaces below it, but none with a similar name', async () => {
    await store.put(['users', 'ada'], 'one', { n: 1 });
    await store.put(['users', 'ada', 'deep'], 'two', { n: 2 });
    await store.put(['users', 'adam'], 'three', { n: 3 });
    expect(await keys(['users', 'ada'])).toEqual(['one', 'two']);
    expect(await keys(['users'])).toEqual(['one', 'two', 'three']);
    expect(await keys([])).toEqual(['one', 'two', 'three']);
    expect(await keys(['user'])).toEqual([]);
  });

  it('pages through a search in the order of creation', async () => {
    for (const key of ['e', 'd', 'c', 'b', 'a']) await store.put(['list'], key, {});
    expect(await keys(['list'], { limit: 2 })).toEqual(['e', 'd']);
    expect(await keys(['list'], { limit: 2, offset: 2 })).toEqual(['c', 'b']);
    expect(await keys(['list'], { limit: 2, offset: 4 })).toEqual(['a']);
  });

  it('returns ten items if the search has no limit', async () => {
    await store.batch(Array.from({ length: 12 }, (_, n) => ({ namespace: ['many'], key: `k${n}`, value: { n } })));
    expect(await store.search(['many'])).toHaveLength(10);
  });

  describe('filters of a search', () => {
    beforeEach(async () => {
      await store.put(['f'], 'one', { n: 1, tag: 'red', on: true });
      await store.put(['f'], 'two', { n: 2, tag: 'blue', on: false });
      await store.put(['f'], 'three', { n: 3, tag: 'red', none: null });
      await store.put(['f'], 'text', { n: '4' });
    });

    it.each([
      [{ tag: 'red' }, ['one', 'three']],
      [{ tag: 'red', n: 3 }, ['three']],
      [{ n: '4' }, ['text']],
      [{ none: null }, ['three']],
      [{ on: false }, ['two']],
      [{ n: { $eq: 2 } }, ['two']],
      [{ tag: { $ne: 'red' } }, ['two', 'text']],
      [{ n: { $gt: 1 } }, ['two', 'three', 'text']],
      [{ n: { $gte: 2, $lt: 4 } }, ['two', 'three']],
      [{ n: { $lte: 1 } }, ['one']],
      [{ tag: { $in: ['blue', 'green'] } }, ['two']],
      [{ tag: { $nin: ['red'] } }, ['two', 'text']],
      [{ missing: 1 }, []],
      [{ on: {} }, ['one', 'two', 'three', 'text']],
      [{}, ['one', 'two', 'three', 'text']],
    ])('select items by %j', async (filter, expected) => {
      expect(await keys(['f'], { filter })).toEqual(expected);
    });

    it('are applied before offset and limit', async () => {
      expect(await keys(['f'], { filter: { tag: 'red' }, offset: 1, limit: 1 })).toEqual(['three']);
    });
  });

  describe('namespaces of stored items', () => {
    beforeEach(async () => {
      for (const namespace of [
        ['docs', 'public', 'v1'],
        ['docs', 'public', 'v2'],
        ['docs', 'private', 'v1'],
        ['users', 'ada', 'v1'],
        ['docs'],
      ])
        await store.put(namespace, 'x', {});
    });

    it.each([
      [{}, ['docs', 'docs/private/v1', 'docs/public/v1', 'docs/public/v2', 'users/ada/v1']],
      [{ prefix: ['docs', 'public'] }, ['docs/public/v1', 'docs/public/v2']],
      [{ suffix: ['v1'] }, ['docs/private/v1', 'docs/public/v1', 'users/ada/v1']],
      [{ prefix: ['*', 'public'] }, ['docs/public/v1', 'docs/public/v2']],
      [{ prefix: ['docs', '*', 'v1'] }, ['docs/private/v1', 'docs/public/v1']],
      [{ suffix: ['public', '*'] }, ['docs/public/v1', 'docs/public/v2']],
      [{ prefix: ['docs'], suffix: ['v2'] }, ['docs/public/v2']],
      [{ maxDepth: 1 }, ['docs', 'users']],
      [{ maxDepth: 2, prefix: ['docs'] }, ['docs', 'docs/private', 'docs/public']],
      [{ limit: 2, offset: 1 }, ['docs/private/v1', 'docs/public/v1']],
      [{ prefix: ['nobody'] }, []],
    ])('are listed with the options %j', async (options, expected) => {
      const found = await store.listNamespaces(options);
      expect(found.map((namespace) => namespace.join('/'))).toEqual(expected);
    });
  });

  it('returns the results of a batch in order; reads see the state before the batch, and the last write wins', async () => {
    await store.put(['b'], 'old', { n: 0 });
    const results = await store.batch([
      { namespace: ['b'], key: 'old' },
      { namespace: ['b'], key: 'new', value: { n: 1 } },
      { namespace: ['b'], key: 'new', value: { n: 2 } },
      { namespacePrefix: ['b'], limit: 10, offset: 0 },
      { namespace: ['b'], key: 'old', value: null },
      { limit: 10, offset: 0, matchConditions: [{ matchType: 'prefix', path: ['b'] }] },
    ] as const as never);
    const [old, , , found, , namespaces] = results as unknown as [
      { value: unknown },
      null,
      null,
      unknown[],
      null,
      unknown,
    ];
    expect(old.value).toEqual({ n: 0 });
    expect(found).toHaveLength(1);
    expect(namespaces).toEqual([['b']]);
    expect((await store.get(['b'], 'new'))?.value).toEqual({ n: 2 });
    expect(await store.get(['b'], 'old')).toBeNull();
  });

  it.each([
    ['an empty namespace', []],
    ['an empty label', ['a', '']],
    ['a label with a dot', ['a.b']],
    ['a label with a colon', ['a:b']],
    ['the reserved root label', ['langgraph', 'x']],
  ])('refuses to put an item under %s', async (_what, namespace) => {
    await expect(store.put(namespace, 'x', {})).rejects.toMatchObject({ name: 'InvalidNamespaceError' });
  });

  it('works behind AsyncBatchedStore, through which graphs use a store', async () => {
    const batched = new AsyncBatchedStore(store);
    batched.start();
    await Promise.all([batched.put(['q'], 'a', { n: 1 }), batched.put(['q'], 'b', { n: 2 })]);
    const [a, found] = await Promise.all([
      batched.get(['q'], 'a'),
      batched.search(['q'], { filter: { n: { $gt: 1 } } }),
    ]);
    await batched.stop();
    expect(a?.value).toEqual({ n: 1 });
    expect(found.map(({ key }) => key)).toEqual(['b']);
  });

  describe('with a vector index', () => {
    it('ranks by similarity and returns the score', async () => {
      store = open(['text']);
      await store.put(['v'], 'far', { text: 'zzz' });
      await store.put(['v'], 'near', { text: 'abab' });
      await store.put(['v'], 'some', { text: 'abz' });
      const found = await store.search(['v'], { query: 'ab' });
      expect(found.map(({ key }) => key)).toEqual(['near', 'some', 'far']);
      expect(found[0]?.score).toBeCloseTo(1, 5);
      expect(found[2]?.score).toBe(0);
    });

    it('ranks an item with several texts by the text that is most similar to the query, and applies the filter', async () => {
      store = open(['parts[*].text', 'title']);
      await store.put(['v'], 'one', { title: 'zz', parts: [{ text: 'qq' }, { text: 'ab' }], on: true });
      await store.put(['v'], 'two', { title: 'abz', parts: [], on: true });
      await store.put(['v'], 'off', { title: 'ab', parts: [], on: false });
      const found = await store.search(['v'], { query: 'ab', filter: { on: true } });
      expect(found.map(({ key }) => key)).toEqual(['one', 'two']);
    });

    it('ranks items without a vector after all others', async () => {
      store = open(['text']);
      await store.put(['v'], 'hidden', { text: 'ab' }, false);
      await store.put(['v'], 'other', { text: 'zz', name: 'ab' }, ['name']);
      await store.put(['v'], 'plain', { text: 'abz' });
      const found = await store.search(['v'], { query: 'ab' });
      expect(found.map(({ key }) => key)).toEqual(['other', 'plain', 'hidden']);
      expect(found[2]?.score).toBeUndefined();
    });

    it('embeds the whole value for the path $', async () => {
      store = open(['$']);
      await store.put(['v'], 'x', { k: 'vvvv' });
      expect((await store.search(['v'], { query: 'v' }))[0]?.score).toBeGreaterThan(0.5);
    });
  });

  it('ignores the query of a search if the store has no vector index', async () => {
    await store.put(['p'], 'b', { text: 'zz' });
    await store.put(['p'], 'a', { text: 'ab' });
    const found = await store.search(['p'], { query: 'ab' });
    expect(found.map(({ key, score }) => [key, score])).toEqual([
      ['b', undefined],
      ['a', undefined],
    ]);
  });
});
