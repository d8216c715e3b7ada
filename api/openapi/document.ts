import { eventAnswer } from '../../protocol/schemas/index.js';
import { inputSchema, outputSchema } from './json-schema.js';
import { REFUSALS, refusalsOf } from '../http/refusals.js';
import type { Answer, RouteDescription } from '../http/route.js';

/** An OpenAPI 3.1 document. */
export type OpenApiDocument = Record<string, unknown>;

const TEXT = { 'text/plain': { schema: { type: 'string' } } };

/**
 * Returns the OpenAPI document of the routes. It is built from the same schemas that validate
 * requests.
 */
export function describeApi(routes: readonly RouteDescription[], info: { version: string }): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: describe(route, routes) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Colloquy',
      version: info.version,
      description: 'The LangGraph Agent Server API over durable conversations. Errors are plain text.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [refusalName(status), { description, content: TEXT }]),
      ),
    },
  };
}

function describe(route: RouteDescription, routes: readonly RouteDescription[]) {
  const parameters = [...pathParameters(route.path), ...queryParameters(route), ...headerParameters(route)];
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    'x-colloquy-action': route.action,
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && {
      requestBody: { required: true, content: { 'application/json': { schema: inputSchema(route.body) } } },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, answer]) => [
          status,
          { ...describeAnswer(answer), ...links(route, routes) },
        ]),
      ),
      ...Object.fromEntries(
        refusalsOf(route).map((status) => [status, { $ref: `#/components/responses/${refusalName(status)}` }]),
      ),
    },
  };
}

function describeAnswer(answer: Answer) {
  if (answer === 'nothing') return { description: 'Done; the body is empty.' };
  if (answer === 'events') {
    return {
      description: 'Server-sent events.',
      content: { 'text/event-stream': { schema: outputSchema(eventAnswer) } },
    };
  }
  return { description: 'The requested data.', content: { 'application/json': { schema: outputSchema(answer) } } };
}

/**
 * Routes whose answer contains ids that other routes have in their path. For each route, the names
 * of these ids.
 */
const ID_SOURCES: Readonly<Record<string, string[]>> = {
  'post /assistants': ['assistant_id'],
  'post /threads': ['thread_id'],
  'post /threads/:thread_id/runs': ['thread_id', 'run_id'],
  'post /runs': ['run_id'],
  'post /runs/crons': ['cron_id'],
};

function links({ method, path }: RouteDescription, routes: readonly RouteDescription[]) {
  const provided = ID_SOURCES[`${method} ${path}`] ?? [];
  const linked = routes.filter((target) => {
    const wanted = [...target.path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
    return wanted.length > 0 && wanted.length === provided.length && wanted.every((name) => provided.includes(name));
  });
  if (linked.length === 0) return {};
  const parameters = Object.fromEntries(provided.map((name) => [name, `$response.body#/${name}`]));
  return {
    links: Object.fromEntries(
      linked.map((target) => [operationId(target), { operationId: operationId(target), parameters }]),
    ),
  };
}

function pathParameters(path: string) {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'assistant_id' || name === 'namespace' ? { type: 'string' } : { type: 'string', format: 'uuid' },
  }));
}

function queryParameters({ query }: RouteDescription) {
  if (query === undefined) return [];
  return Object.entries(inputSchema(query).properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
}

function headerParameters({ headers = {} }: RouteDescription) {
  return Object.entries(headers).map(([name, schema]) => ({
    name,
    in: 'header',
    required: false,
    schema: inputSchema(schema),
  }));
}

function operationId({ method, path }: RouteDescription): string {
  const words = path.split(/[/:_]+/).filter((word) => word !== '');
  return [method, ...words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`)].join('');
}

function refusalName(status: number | string): string {
  return `Refused${status}`;
}
