import type { Request } from 'express';
import { anyWithNamespace, namespaceLabels } from '../../protocol/schemas/index.js';
import type { RequestBody, ItemRule } from '../auth/rules.js';
import { parse } from '../http/validate.js';

/**
 * The questions that a project's auth is asked about items of the store. A handler may move a
 * request to another namespace.
 */

export function asksToPut(): ItemRule {
  return {
    kind: 'items',
    async ask(req, authorize) {
      const body = bodyWithNamespace(req);
      const value = { namespace: body['namespace'], key: body['key'], value: body['value'] };
      const filters = await authorize('store:put', value);
      Object.assign(body, value);
      return filters;
    },
  };
}

export function asksToDelete(): ItemRule {
  return {
    kind: 'items',
    async ask(req, authorize) {
      const body = bodyWithNamespace(req);
      const value = { namespace: body['namespace'], key: body['key'] };
      const filters = await authorize('store:delete', value);
      Object.assign(body, value);
      return filters;
    },
  };
}

export function asksToGet(): ItemRule {
  return {
    kind: 'items',
    async ask(req, authorize) {
      const { namespace, key } = req.query;
      const labels = typeof namespace === 'string' && namespace !== '' ? namespace.split('.') : [];
      const value = { namespace: parse(namespaceLabels, labels, 'namespace'), key };
      const filters = await authorize('store:get', value);
      replaceQuery(req, { ...req.query, namespace: joined(value.namespace), key: value.key });
      return filters;
    },
  };
}

/** `field` is the field of the body that has the namespace to search. */
export function asksToSearch(event: string, field: 'namespace_prefix' | 'prefix'): ItemRule {
  return {
    kind: 'items',
    async ask(req, authorize) {
      const { [field]: searched, namespace: unknownField, ...others } = bodyWithNamespace(req);
      const unchanged: unknown[] = [];
      const value: RequestBody = { ...others, namespace: searched ?? unchanged };
      const filters = await authorize(event, value);
      const { namespace, ...changed } = value;
      const isAbsent = namespace === unchanged && unchanged.length === 0;
      // A field `namespace` that the client sent is unknown here. Keep it, so that the route
      // refuses it.
      const refused = unknownField === undefined ? {} : { namespace: unknownField };
      req.body = { ...changed, ...(!isAbsent && { [field]: namespace }), ...refused };
      return filters;
    },
  };
}

/**
 * Returns the body, after a check that its namespace is a list of labels. Handlers read these
 * labels. Errors: `invalid_argument`.
 */
function bodyWithNamespace(req: Request): RequestBody {
  const body: unknown = req.body ?? {};
  parse(anyWithNamespace, body, 'request body');
  req.body = body;
  return body as RequestBody;
}

/**
 * Formats a namespace for a query. Errors: `invalid_argument` for a label with a dot, which would
 * split into two labels.
 */
function joined(namespace: unknown): string {
  return parse(namespaceLabels, namespace, 'namespace').join('.');
}

/**
 * Replaces the query of a request. Express parses the query on each access, so the property itself
 * must be replaced.
 */
function replaceQuery(req: Request, query: Record<string, unknown>): void {
  Object.defineProperty(req, 'query', { value: query, configurable: true });
}
