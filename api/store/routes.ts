import type { SearchItem } from '@langchain/langgraph-checkpoint';
import type { Viewer } from '../../conversations/access.js';
import { ColloquyError } from '../../protocol/index.js';
import {
  itemAnswer,
  itemDelete,
  itemGetQuery,
  itemPut,
  itemSearch,
  itemsAnswer,
  namespaceList,
  namespacesAnswer,
} from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';
import { asksToDelete, asksToGet, asksToPut, asksToSearch } from './auth-rules.js';

const DEFAULT_ITEMS = 10;
const DEFAULT_NAMESPACES = 100;
/**
 * Number of records per page that a search reads if the project has its own auth. Such a search
 * reads at most `MAX_SCANNED` records in total.
 */
const SCAN_PAGE = 1_000;
const MAX_SCANNED = 10_000;

export const putRoute = route({
  method: 'put',
  path: '/store/items',
  group: 'store',
  tag: 'Store',
  summary: 'Write an item; an existing one is replaced',
  body: itemPut,
  answers: { 204: 'nothing' },
  action: 'item.write',
  auth: asksToPut(),
  async handle(context, { viewer, body, res }) {
    const { namespace, key, value, index, ttl } = body;
    // The error is the same, whether the stored item or the new value fails the filters. So it does
    // not reveal that an item is stored.
    const isHidden = await isHiddenItem(context, viewer, namespace, key);
    if (isHidden || !viewer.access.seesItem({ namespace, key }, value)) {
      throw new ColloquyError('forbidden', 'Forbidden: store:put');
    }
    const options = {
      ...(typeof ttl === 'number' && { ttl }),
      ...(index !== undefined && index !== null && { index }),
    };
    await context.items.putItems(viewer.caller, [{ namespace, key, value, ...options }]);
    res.status(204).end();
  },
});

export const getRoute = route({
  method: 'get',
  path: '/store/items',
  group: 'store',
  tag: 'Store',
  summary: 'An item; null if it does not exist',
  query: itemGetQuery,
  answers: { 200: itemAnswer.nullable() },
  refusals: [404],
  action: 'item.read',
  auth: asksToGet(),
  async handle(context, { viewer, query: { namespace, key, refresh_ttl: refreshTtl }, res }) {
    if (await isHiddenItem(context, viewer, namespace, key)) return void res.json(null);
    const item = await context.items.getItem(viewer.caller, namespace, key, { refreshTtl });
    res.json(item && itemToWire(item));
  },
});

export const deleteRoute = route({
  method: 'delete',
  path: '/store/items',
  group: 'store',
  tag: 'Store',
  summary: 'Delete an item; succeeds if it does not exist',
  body: itemDelete,
  answers: { 204: 'nothing' },
  refusals: [404],
  action: 'item.delete',
  auth: asksToDelete(),
  async handle(context, { viewer, body: { namespace, key }, res }) {
    // Treat an item that the filters hide from the caller as missing.
    if (!(await isHiddenItem(context, viewer, namespace, key))) {
      await context.items.deleteItem(viewer.caller, namespace, key);
    }
    res.status(204).end();
  },
});

export const searchRoute = route({
  method: 'post',
  path: '/store/items/search',
  group: 'store',
  tag: 'Store',
  summary: 'Find items under a namespace',
  body: itemSearch,
  answers: { 200: itemsAnswer },
  action: 'item.search',
  auth: asksToSearch('store:search', 'namespace_prefix'),
  async handle(context, { viewer: { caller, access }, body, res }) {
    const search = {
      namespacePrefix: body.namespace_prefix,
      ...(body.filter && { filter: body.filter }),
      ...(body.query && { query: body.query }),
      ...(typeof body.refresh_ttl === 'boolean' && { refreshTtl: body.refresh_ttl }),
    };
    const page = { limit: body.limit ?? DEFAULT_ITEMS, offset: body.offset ?? 0 };
    const found = await visiblePage(
      (range) => context.items.searchItems(caller, { ...search, ...range }),
      page,
      access.hasProjectAuth ? (item) => access.seesItem(item, item.value) : undefined,
    );
    res.json({ items: found.map(itemToWire) });
  },
});

export const namespacesRoute = route({
  method: 'post',
  path: '/store/namespaces',
  group: 'store',
  tag: 'Store',
  summary: 'Namespaces that hold items',
  body: namespaceList,
  answers: { 200: namespacesAnswer },
  action: 'item.search',
  auth: asksToSearch('store:list_namespaces', 'prefix'),
  async handle(context, { viewer: { caller, access }, body, res }) {
    const match = {
      conditions: [
        ...(body.prefix ? [{ matchType: 'prefix' as const, path: body.prefix }] : []),
        ...(body.suffix ? [{ matchType: 'suffix' as const, path: body.suffix }] : []),
      ],
      ...(body.max_depth && { maxDepth: body.max_depth }),
    };
    const page = { limit: body.limit ?? DEFAULT_NAMESPACES, offset: body.offset ?? 0 };
    const namespaces = await visiblePage(
      (range) => context.items.listNamespaces(caller, { ...match, ...range }),
      page,
      access.hasProjectAuth ? (namespace) => access.seesItem({ namespace }) : undefined,
    );
    res.json({ namespaces });
  },
});

/** Returns true if the item exists and the filters hide it from the caller. */
async function isHiddenItem(
  { items }: ApiContext,
  { caller, access }: Viewer,
  namespace: string[],
  key: string,
): Promise<boolean> {
  if (!access.hasProjectAuth) return false;
  const item = await items.getItem(caller, namespace, key, { refreshTtl: false });
  return item !== null && !access.seesItem({ namespace, key }, item.value);
}

interface PageRange {
  limit: number;
  offset: number;
}

/**
 * Returns one page of the records that pass the filters of a project's auth. The store cannot apply
 * these filters, so this function reads all records up to the end of the page and filters them.
 * Errors: `too_large` if that would be more than `MAX_SCANNED` records.
 */
async function visiblePage<T>(
  read: (page: PageRange) => Promise<T[]>,
  page: PageRange,
  test: ((found: T) => boolean) | undefined,
): Promise<T[]> {
  if (test === undefined) return read(page);
  const passed: T[] = [];
  const wanted = page.offset + page.limit;
  for (let offset = 0; offset < MAX_SCANNED; offset += SCAN_PAGE) {
    const found = await read({ limit: SCAN_PAGE, offset });
    passed.push(...found.filter(test));
    if (passed.length >= wanted || found.length < SCAN_PAGE) return passed.slice(page.offset, wanted);
  }
  throw new ColloquyError(
    'too_large',
    `the search would read more than ${MAX_SCANNED} records; narrow the namespace or the filter`,
  );
}

function itemToWire({ namespace, key, value, createdAt, updatedAt, score }: SearchItem) {
  return { namespace, key, value, created_at: createdAt, updated_at: updatedAt, ...(score !== undefined && { score }) };
}
