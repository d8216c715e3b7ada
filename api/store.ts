import { Router } from 'express';
import type { SearchItem } from '@langchain/langgraph-checkpoint';
import { itemDelete, itemGetQuery, itemPut, itemSearch, namespaceList } from '../protocol/schemas/index.js';
import { callerOf, type ApiContext } from './context.js';
import { bodyOf } from './params.js';
import { parse } from './validate.js';

const DEFAULT_ITEMS = 10;
const DEFAULT_NAMESPACES = 100;

export function storeRoutes({ items }: ApiContext): Router {
  const router = Router();

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
    const found = await items.searchItems(callerOf(res), {
      namespacePrefix: body.namespace_prefix,
      limit: body.limit ?? DEFAULT_ITEMS,
      offset: body.offset ?? 0,
      ...(body.filter && { filter: body.filter }),
      ...(body.query && { query: body.query }),
      ...(typeof body.refresh_ttl === 'boolean' && { refreshTtl: body.refresh_ttl }),
    });
    res.json({ items: found.map(itemToWire) });
  });

  router.post('/store/namespaces', async (req, res) => {
    const body = parse(namespaceList, bodyOf(req), 'request body');
    const namespaces = await items.listNamespaces(callerOf(res), {
      conditions: [
        ...(body.prefix ? [{ matchType: 'prefix' as const, path: body.prefix }] : []),
        ...(body.suffix ? [{ matchType: 'suffix' as const, path: body.suffix }] : []),
      ],
      limit: body.limit ?? DEFAULT_NAMESPACES,
      offset: body.offset ?? 0,
      ...(body.max_depth && { maxDepth: body.max_depth }),
    });
    res.json({ namespaces });
  });

  return router;
}

function itemToWire({ namespace, key, value, createdAt, updatedAt, score }: SearchItem) {
  return { namespace, key, value, created_at: createdAt, updated_at: updatedAt, ...(score !== undefined && { score }) };
}
