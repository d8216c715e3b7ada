import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { MongoClient } from 'mongodb';
import { ServiceProcesses } from '../support/house.js';

const house = new ServiceProcesses(resolve('test/fixtures/projects/server/langgraph.json'));
const mongo = new MongoClient(house.mongodbUri);
let url: string;
let client: Client;

beforeAll(async () => {
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url } = api);
  client = new Client({ apiUrl: url, apiKey: null });
}, 60_000);
afterAll(async () => {
  await house.stop();
  await mongo.close();
});

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, text: await response.text() };
}

describe('store items over HTTP', () => {
  let root: string;
  beforeEach(() => {
    root = randomUUID();
  });

  it('can be written, read, replaced and deleted', async () => {
    expect(await client.store.putItem([root, 'ada'], 'profile', { name: 'Ada' })).toBeUndefined();
    const item = await client.store.getItem([root, 'ada'], 'profile');
    expect(item).toMatchObject({ namespace: [root, 'ada'], key: 'profile', value: { name: 'Ada' } });
    expect(new Date(item?.createdAt ?? '').getTime()).toBeGreaterThan(0);

    await client.store.putItem([root, 'ada'], 'profile', { name: 'Ada L.' });
    const second = await client.store.getItem([root, 'ada'], 'profile');
    expect(second).toMatchObject({ value: { name: 'Ada L.' }, createdAt: item?.createdAt });

    await client.store.deleteItem([root, 'ada'], 'profile');
    expect(await client.store.getItem([root, 'ada'], 'profile')).toBeNull();
  });

  it('have exactly the fields of the HTTP format', async () => {
    await client.store.putItem([root], 'k', { n: 1 });
    const { status, text } = await ask('GET', `/store/items?namespace=${root}&key=k`);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      namespace: [root],
      key: 'k',
      value: { n: 1 },
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      updated_at: expect.any(String),
    });
    expect(await ask('GET', `/store/items?namespace=${root}&key=none`)).toEqual({ status: 200, text: 'null' });
    expect(await ask('DELETE', '/store/items', { namespace: [root], key: 'none' })).toEqual({ status: 204, text: '' });
  });

  it('can be searched by namespace prefix and filter, in pages', async () => {
    for (const n of [1, 2, 3, 4]) await client.store.putItem([root, 'list'], `k${n}`, { n, odd: n % 2 === 1 });
    await client.store.putItem([root, 'other'], 'k5', { n: 5, odd: true });
    const keys = async (options: Parameters<Client['store']['searchItems']>[1], prefix = [root, 'list']) =>
      (await client.store.searchItems(prefix, options)).items.map(({ key }) => key);
    expect(await keys({})).toEqual(['k1', 'k2', 'k3', 'k4']);
    expect(await keys({ limit: 2, offset: 1 })).toEqual(['k2', 'k3']);
    expect(await keys({ filter: { odd: true } })).toEqual(['k1', 'k3']);
    expect(await keys({ filter: { n: { $gte: 3 } } }, [root])).toEqual(['k3', 'k4', 'k5']);
  });

  it('are ranked by the embedder of the project in a search by meaning', async () => {
    await client.store.putItem([root], 'far', { text: 'zzz' });
    await client.store.putItem([root], 'near', { text: 'abab' });
    await client.store.putItem([root], 'hidden', { text: 'ab' }, { index: false });
    const { items } = await client.store.searchItems([root], { query: 'ab' });
    expect(items.map(({ key, score }) => [key, score && Math.round(score)])).toEqual([
      ['near', 1],
      ['far', 0],
      ['hidden', undefined],
    ]);
  });

  it('have namespaces that a client can list', async () => {
    await client.store.putItem([root, 'a', 'x'], 'k', {});
    await client.store.putItem([root, 'a', 'y'], 'k', {});
    await client.store.putItem([root, 'b', 'x'], 'k', {});
    const list = async (options: Parameters<Client['store']['listNamespaces']>[0]) =>
      (await client.store.listNamespaces(options)).namespaces.map((labels) => labels.slice(1).join('/'));
    expect(await list({ prefix: [root] })).toEqual(['a/x', 'a/y', 'b/x']);
    expect(await list({ prefix: [root], suffix: ['x'] })).toEqual(['a/x', 'b/x']);
    expect(await list({ prefix: [root, '*', 'x'] })).toEqual(['a/x', 'b/x']);
    expect(await list({ prefix: [root], maxDepth: 2 })).toEqual(['a', 'b']);
    expect(await list({ prefix: [root], limit: 1, offset: 1 })).toEqual(['a/y']);
  });

  it('expire after their own time to live, or after the default of the project', async () => {
    await client.store.putItem([root], 'own', {}, { ttl: 5 });
    await client.store.putItem([root], 'default', {});
    const minutes = async (key: string) => {
      const found = await mongo.db(house.name).collection('items').findOne({ path: root, key });
      return (found?.['expiresAt'] as Date).getTime() - (found?.['updatedAt'] as Date).getTime();
    };
    expect(await minutes('own')).toBe(5 * 60_000);
    expect(await minutes('default')).toBe(60 * 60_000);
    await client.store.getItem([root], 'own');
    expect(await minutes('own')).toBe(5 * 60_000);
    const later = new Date(Date.now() + 1_000);
    await mongo
      .db(house.name)
      .collection('items')
      .updateOne({ path: root, key: 'own' }, { $set: { expiresAt: later } });
    await client.store.getItem([root], 'own', { refreshTtl: true });
    expect(await minutes('own')).toBeGreaterThan(4 * 60_000);
  });
});

describe('the HTTP API of the store', () => {
  it.each([
    ['PUT', '/store/items', { namespace: ['a.b'], key: 'k', value: {} }, 'namespace.0: a label is not empty'],
    ['PUT', '/store/items', { namespace: ['a', ''], key: 'k', value: {} }, 'namespace.1: a label is not empty'],
    ['PUT', '/store/items', { namespace: [], key: 'k', value: {} }, 'namespace: '],
    ['PUT', '/store/items', { namespace: ['langgraph'], key: 'k', value: {} }, '"langgraph" is reserved'],
    ['PUT', '/store/items', { namespace: ['a'], value: {} }, 'key: '],
    ['PUT', '/store/items', { namespace: ['a'], key: 'k', value: [] }, 'value: '],
    ['PUT', '/store/items', { namespace: ['a'], key: 'k', value: {}, ttl: -1 }, 'ttl: '],
    ['PUT', '/store/items', { namespace: ['a'], key: 'k', value: {}, ttl: 52_560_001 }, 'ttl: '],
    ['PUT', '/store/items', { namespace: ['a'], key: 'k', value: {}, index: Array(101).fill('a') }, 'index: '],
    [
      'PUT',
      '/store/items',
      { namespace: ['a'], key: 'k', value: { a: Array(1_001).fill('x') }, index: ['a[*]'] },
      'index: item "k" of',
    ],
    ['PUT', '/store/items', { namespace: ['a'], key: 'k', value: {}, colour: 1 }, 'colour: unknown field'],
    ['GET', '/store/items?namespace=a..b&key=k', undefined, 'namespace.1: a label is not empty'],
    ['GET', '/store/items?key=k', undefined, 'namespace: '],
    ['DELETE', '/store/items', { namespace: ['a:b'], key: 'k' }, 'namespace.0: a label is not empty'],
    ['POST', '/store/items/search', {}, 'namespace_prefix: '],
    ['POST', '/store/items/search', { namespace_prefix: [], limit: 0 }, 'limit: '],
    [
      'POST',
      '/store/items/search',
      { namespace_prefix: [], filter: { n: { $near: 1 } } },
      'filter.n.$near: unknown operator',
    ],
    [
      'POST',
      '/store/items/search',
      { namespace_prefix: [], filter: { n: { $gt: { valueOf: 1 } } } },
      'filter.n.$gt: expected a',
    ],
    [
      'POST',
      '/store/items/search',
      { namespace_prefix: [], filter: { n: Array(1_000).fill(1) } },
      'filter: has more than 1000',
    ],
    ['POST', '/store/namespaces', { max_depth: 0 }, 'max_depth: '],
    ['POST', '/store/namespaces', { suffix: ['a.b'] }, 'suffix.0: a label is not empty'],
  ])('refuses %s %s with the body %j', async (method, path, body, message) => {
    const { status, text } = await ask(method, path, body);
    expect(text).toContain(message);
    expect(status).toBe(422);
  });
});

it('the API and graphs use the same store', async () => {
  await client.store.putItem(['told'], 'by-a-client', { n: 1 });
  const state = await client.runs.wait(null, 'keeper', { input: { text: 'from the graph' } });
  expect(state).toMatchObject({ found: [{ key: 'by-a-client', value: { n: 1 } }] });
  expect((await client.store.getItem(['kept', 'config'], 'text'))?.value).toEqual({ text: 'from the graph' });
  expect((await client.store.getItem(['kept', 'node'], 'text'))?.value).toEqual({ text: 'from the graph' });
});
