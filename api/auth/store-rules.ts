import type { Request, Response, Router } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { matchesFilters } from './filters.js';
import { ask, authOf } from './ask.js';
import type { AuthFilters, ProjectAuth } from './ports.js';

interface Place {
  namespace: string[];
  key: string;
}

/** Filters of the store are about an item's value, with its `namespace` and `key`. A handler may move a request to another namespace. */
export function addStoreRules(router: Router, context: ApiContext, auth: ProjectAuth): void {
  router.put('/store/items', async (req, res, next) => {
    const body = (req.body ?? {}) as Record<string, unknown>;
    const value = { namespace: body['namespace'], key: body['key'], value: body['value'] };
    const filters = await ask(auth, authOf(res), res, 'store:put', value);
    Object.assign(body, value);
    await checkThere(context, res, body, filters);
    if (!matches(body, body['value'], filters)) throw new ColloquyError('forbidden', 'Forbidden: store:put');
    next('router');
  });

  router.delete('/store/items', async (req, res, next) => {
    const body = (req.body ?? {}) as Record<string, unknown>;
    const value = { namespace: body['namespace'], key: body['key'] };
    const filters = await ask(auth, authOf(res), res, 'store:delete', value);
    Object.assign(body, value);
    await checkThere(context, res, body, filters);
    next('router');
  });

  router.get('/store/items', async (req, res, next) => {
    const { namespace, key } = req.query;
    const value = { namespace: typeof namespace === 'string' ? namespace.split('.') : [], key };
    const filters = await ask(auth, authOf(res), res, 'store:get', value);
    replaceQuery(req, { ...req.query, namespace: value.namespace.join('.'), key: value.key });
    await checkThere(context, res, value, filters);
    next('router');
  });

  for (const [path, event] of [
    ['/store/items/search', 'store:search'],
    ['/store/namespaces', 'store:list_namespaces'],
  ] as const) {
    router.post(path, async (req, res, next) => {
      const { namespace_prefix, prefix, ...body } = (req.body ?? {}) as Record<string, unknown>;
      const filters = await ask(auth, authOf(res), res, event, { ...body, namespace: namespace_prefix ?? prefix });
      res.locals['itemFilters'] = filters;
      next('router');
    });
  }
}

/** An item that is there and does not match is nobody's business. Errors: `not_found`. */
async function checkThere(
  context: ApiContext,
  res: Response,
  place: Record<string, unknown>,
  filters: AuthFilters | undefined,
): Promise<void> {
  if (filters === undefined || !isPlace(place)) return;
  const { namespace, key } = place;
  const item = await context.items.getItem(callerOf(res), namespace, key, { refreshTtl: false });
  if (item !== null && !matches(place, item.value, filters)) throw new ColloquyError('not_found', 'Item not found');
}

/** Whether the filters that hold for this request let an item, or a namespace without one, be seen. */
export function itemTest(res: Response): ((place: Partial<Place>, value?: unknown) => boolean) | undefined {
  const filters = res.locals['itemFilters'] as AuthFilters | undefined;
  return filters && ((place, value) => matches(place, value, filters));
}

function matches(
  { namespace, key }: { namespace?: unknown; key?: unknown },
  value: unknown,
  filters: AuthFilters | undefined,
): boolean {
  return matchesFilters({ ...(value as Record<string, unknown> | undefined), namespace, key }, filters);
}

function isPlace(place: Record<string, unknown>): place is Record<string, unknown> & Place {
  return Array.isArray(place['namespace']) && typeof place['key'] === 'string';
}

/** Express reads the query anew each time it is asked for. */
function replaceQuery(req: Request, query: Record<string, unknown>): void {
  Object.defineProperty(req, 'query', { value: query, configurable: true });
}
