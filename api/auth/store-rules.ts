import type { Request, Response, Router } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import { anyWithNamespace, itemDelete, itemGetQuery, namespaceLabels } from '../../protocol/schemas/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { parse } from '../http/validate.js';
import { matchesFilters, type AuthFilters } from '../../conversations/filters.js';
import { sessionOf } from './session.js';
import type { ProjectAuth } from './ports.js';

interface Place {
  namespace: string[];
  key: string;
}

/** Filters of the store are about an item's value, with its `namespace` and `key`. A handler may move a request to another namespace. */
export function addStoreRules(router: Router, context: ApiContext, auth: ProjectAuth): void {
  router.put('/store/items', async (req, res, next) => {
    const body = bodyOf(req);
    const value = { namespace: body['namespace'], key: body['key'], value: body['value'] };
    const filters = await auth.authorize(sessionOf(res).who, 'store:put', value);
    Object.assign(body, value);
    // The same answer whether the stored item or the new value breaks the filters, so that it reveals nothing.
    const isHidden = await hides(context, res, body, filters);
    if (isHidden || !matches(body, body['value'], filters)) {
      throw new ColloquyError('forbidden', 'Forbidden: store:put');
    }
    next('router');
  });

  router.delete('/store/items', async (req, res, next) => {
    const body = bodyOf(req);
    const value = { namespace: body['namespace'], key: body['key'] };
    const filters = await auth.authorize(sessionOf(res).who, 'store:delete', value);
    Object.assign(body, value);
    parse(itemDelete, body, 'request body');
    // As one that is not there.
    if (await hides(context, res, body, filters)) return void res.status(204).end();
    next('router');
  });

  router.get('/store/items', async (req, res, next) => {
    const { namespace, key } = req.query;
    const labels = typeof namespace === 'string' && namespace !== '' ? namespace.split('.') : [];
    const value = { namespace: parse(namespaceLabels, labels, 'namespace'), key };
    const filters = await auth.authorize(sessionOf(res).who, 'store:get', value);
    replaceQuery(req, { ...req.query, namespace: joined(value.namespace), key: value.key });
    parse(itemGetQuery, req.query, 'query');
    if (await hides(context, res, value, filters)) return void res.json(null);
    next('router');
  });

  searchRule('/store/items/search', 'store:search', 'namespace_prefix');
  searchRule('/store/namespaces', 'store:list_namespaces', 'prefix');

  /** What the handler makes of the namespace, an empty one included, is what is searched. */
  function searchRule(path: string, event: string, field: 'namespace_prefix' | 'prefix'): void {
    router.post(path, async (req, res, next) => {
      const { [field]: given, namespace: unknown, ...others } = bodyOf(req);
      const before: unknown[] = [];
      const value: Record<string, unknown> = { ...others, namespace: given ?? before };
      const filters = await auth.authorize(sessionOf(res).who, event, value);
      const { namespace, ...changed } = value;
      const isAbsent = namespace === before && before.length === 0;
      // A field of the client's own that is called `namespace` is for the route to refuse.
      const refused = unknown === undefined ? {} : { namespace: unknown };
      req.body = { ...changed, ...(!isAbsent && { [field]: namespace }), ...refused };
      if (filters !== undefined) itemFilters.set(res.locals, filters);
      next('router');
    });
  }
}

/** Handlers take namespaces apart, so those must be lists of labels. Errors: `invalid_argument`. */
function bodyOf(req: Request): Record<string, unknown> {
  const body: unknown = req.body ?? {};
  parse(anyWithNamespace, body, 'request body');
  req.body = body;
  return body as Record<string, unknown>;
}

/** A namespace as a query has it. Errors: `invalid_argument` for a label with a dot, which would become two. */
function joined(namespace: unknown): string {
  return parse(namespaceLabels, namespace, 'namespace').join('.');
}

/** True if the item exists and the filters hide it from the caller. */
async function hides(
  context: ApiContext,
  res: Response,
  place: Record<string, unknown>,
  filters: AuthFilters | undefined,
): Promise<boolean> {
  if (filters === undefined || !isPlace(place)) return false;
  const { namespace, key } = place;
  const item = await context.items.getItem(callerOf(res), namespace, key, { refreshTtl: false });
  return item !== null && !matches(place, item.value, filters);
}

/** By the `locals` of a response: an Express app of a project may have a `locals.itemFilters`. */
const itemFilters = new WeakMap<object, AuthFilters>();

/** Whether the filters that hold for this request let an item, or a namespace without one, be seen. */
export function itemTest(res: Response): ((place: Partial<Place>, value?: unknown) => boolean) | undefined {
  const filters = itemFilters.get(res.locals);
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
