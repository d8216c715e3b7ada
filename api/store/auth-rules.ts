import type { Request } from 'express';
import { anyWithNamespace, namespaceLabels } from '../../protocol/schemas/index.js';
import type { RequestBody, ItemRule } from '../auth/rules.js';
import { parse } from '../http/validate.js';

/**
 * The authorization rules for routes about items of the store. Before such a route runs, its rule
 * asks the project's auth handler. The handler may change the namespace in the request.
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

/**
 * Creates the rule of a search. `field` is the field of the body that has the namespace to search.
 */
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
      // The body of a search must not have the field `namespace`. If the client sent this field, it
      // stays in the body, and the route refuses the request.
      const refused = unknownField === undefined ? {} : { namespace: unknownField };
      req.body = { ...changed, ...(!isAbsent && { [field]: namespace }), ...refused };
      return filters;
    },
  };
}

/**
 * Checks that the namespace in the body is a list of strings (its labels), because the project's
 * auth handlers read them. Returns the body. Errors: `invalid_argument`.
 */
function bodyWithNamespace(req: Request): RequestBody {
  const body: unknown = req.body ?? {};
  parse(anyWithNamespace, body, 'request body');
  req.body = body;
  return body as RequestBody;
}

/**
 * Formats a store namespace for the query of a URL: its labels, joined with dots. Errors:
 * `invalid_argument` for a label that contains a dot, because the route would read it as two
 * labels.
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
