import type { Router } from 'express';
import type { SearchItem } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../../protocol/index.js';
import { itemDelete, itemGetQuery, itemPut, itemSearch, namespaceList } from '../../protocol/schemas/index.js';
import { itemTest } from '../auth/store-rules.js';
import { callerOf, type ApiContext } from '../context.js';
import { bodyOf } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { parse } from '../http/validate.js';

const DEFAULT_ITEMS = 10;
const DEFAULT_NAMESPACES = 100;
const SCAN_PAGE = 1_000;
const MAX_SCANNED = 10_000;

export function storeRoutes({ items }: ApiContext): Router {
  const router = createRouter();

  router.put('/store/items', async (req, res) => {
    const { namespace, key, value, index, ttl } = parse(itemPut, bodyOf(req), 'request body');
    const options = {
      ...(typeof ttl === 'number' && { ttl }),
      ...(index !== undefined && index !== null && { index }),
    };
    await items.putItems(callerOf(res), [{ namespace, key, value, ...options }]);
    res.status(204).end();
  });

  router.get('/store/items', async (req, res) => {
    const { namespace, key, refresh_ttl } = parse(itemGetQuery, req.query, 'query');
    const item = await items.getItem(callerOf(res), namespace, key, { refreshTtl: refresh_ttl });
    res.json(item && itemToWire(item));
  });

  router.delete('/store/items', async (req, res) => {
    const { namespace, key } = parse(itemDelete, bodyOf(req), 'request body');
    await items.deleteItem(callerOf(res), namespace, key);
    res.status(204).end();
  });

  router.post('/store/items/search', async (req, res) => {
    const body = parse(itemSearch, bodyOf(req), 'request body');
    const search = {
      namespacePrefix: body.namespace_prefix,
      ...(body.filter && { filter: body.filter }),
      ...(body.query && { query: body.query }),
      ...(typeof body.refresh_ttl === 'boolean' && { refreshTtl: body.refresh_ttl }),
    };
    const page = { limit: body.limit ?? DEFAULT_ITEMS, offset: body.offset ?? 0 };
    const test = itemTest(res);
    const found = await seen(
      (range) => items.searchItems(callerOf(res), { ...search, ...range }),
      page,
      test && ((item) => test(item, item.value)),
    );
    res.json({ items: found.map(itemToWire) });
  });

  router.post('/store/namespaces', async (req, res) => {
    const body = parse(namespaceList, bodyOf(req), 'request body');
    const match = {
      conditions: [
        ...(body.prefix ? [{ matchType: 'prefix' as const, path: body.prefix }] : []),
        ...(body.suffix ? [{ matchType: 'suffix' as const, path: body.suffix }] : []),
      ],
      ...(body.max_depth && { maxDepth: body.max_depth }),
    };
    const page = { limit: body.limit ?? DEFAULT_NAMESPACES, offset: body.offset ?? 0 };
    const test = itemTest(res);
    const namespaces = await seen(
      (range) => items.listNamespaces(callerOf(res), { ...match, ...range }),
      page,
      test && ((namespace) => test({ namespace })),
    );
    res.json({ namespaces });
  });

  return router;
}

interface Page {
  limit: number;
  offset: number;
}

/** A page of what passes a project's filters, which the store does not know. Errors: `too_large` where too much would be looked through. */
async function seen<T>(
  read: (page: Page) => Promise<T[]>,
  page: Page,
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
    `more than ${MAX_SCANNED} would be looked through; narrow the namespace or the filter`,
  );
}

function itemToWire({ namespace, key, value, createdAt, updatedAt, score }: SearchItem) {
  return { namespace, key, value, created_at: createdAt, updated_at: updatedAt, ...(score !== undefined && { score }) };
}
