import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import type { Access, Viewer } from '../../conversations/access.js';
import type { Action, Caller } from '../../protocol/index.js';
import { uuid } from '../../protocol/schemas/index.js';
import { callerOf } from '../auth/authentication.js';
import { enter } from '../auth/gate.js';
import type { RouteAuth } from '../auth/rules.js';
import type { ApiContext, RouteGroup } from '../context.js';
import { parse } from './validate.js';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** The body of a successful answer: JSON that fits a schema, server-sent events, or nothing. */
export type Answer = z.ZodType | 'events' | 'nothing';

/** All properties of an endpoint except its handler. */
export interface RouteDescription {
  method: Method;
  /** The path in the syntax of Express: `/threads/:thread_id`. */
  path: string;
  /**
   * The group of the route. A project can disable all routes of a group in its `langgraph.json`.
   */
  group: RouteGroup;
  /** The chapter of the API reference page that lists this route. */
  tag: string;
  /** One line that describes the route on the API reference page. */
  summary: string;
  body?: z.ZodType;
  query?: z.ZodObject;
  /** Request headers that the route reads, by name. */
  headers?: Readonly<Record<string, z.ZodType>>;
  /** The content of successful answers, by HTTP status. */
  answers: Readonly<Record<number, Answer>>;
  /** The HTTP statuses of errors that are specific to this route. */
  refusals?: readonly number[];
  /** The permission that the caller needs for this route. */
  action: Action;
  /** Whether the route needs credentials, and which auth events the project's handlers decide. */
  auth: RouteAuth;
}

/**
 * One endpoint of the API. Everything that the server knows about an endpoint comes from this
 * object: its registration in Express, `/openapi.json`, the reference page, the calls of a
 * project's auth handlers, and the answers 404 and 405.
 */
export interface Route extends RouteDescription {
  /**
   * Returns an Express handler. It asks the project's auth handlers, parses the request, and
   * answers it.
   */
  handler(context: ApiContext): RequestHandler;
}

/** Names of the parameters in a path. */
type ParameterOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

type Schemas = Readonly<Record<string, z.ZodType>>;

/** An authorized request, with its values parsed by the schemas of the route. */
interface RouteCall<Path extends string, Body, Query, Headers extends Schemas> {
  /** Who sent the request. On a public route, a read of this property throws `unauthenticated`. */
  readonly caller: Caller;
  readonly access: Access;
  readonly viewer: Viewer;
  readonly params: Readonly<Record<ParameterOf<Path>, string>>;
  readonly query: Query;
  /**
   * The headers that the route declares. The value is undefined if the request has no such header.
   */
  readonly headers: { readonly [Name in keyof Headers]: z.output<Headers[Name]> | undefined };
  readonly body: Body;
  readonly req: Request;
  readonly res: Response;
}

interface RouteSpec<
  Path extends string,
  Body extends z.ZodType,
  Query extends z.ZodObject,
  Headers extends Schemas,
> extends RouteDescription {
  path: Path;
  body?: Body;
  query?: Query;
  headers?: Headers;
  /** Changes the body before the project's auth handlers read it. */
  normalize?: (body: unknown) => unknown;
  handle: (
    context: ApiContext,
    call: RouteCall<Path, z.output<Body>, z.output<Query>, Headers>,
  ) => Promise<void> | void;
}

/** Path parameters that may be any name. All other path parameters are UUIDs. */
const NAMES: readonly string[] = ['assistant_id', 'namespace'];

/**
 * Creates a route. TypeScript infers the types of the handler's argument `call` from the path and
 * the schemas.
 */
export function route<
  const Path extends string,
  Body extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodObject = z.ZodObject,
  const Headers extends Schemas = Record<never, z.ZodType>,
>({ handle, normalize, ...description }: RouteSpec<Path, Body, Query, Headers>): Route {
  const { auth, body, query, headers } = description;

  const handler = (context: ApiContext): RequestHandler => {
    return async (req, res) => {
      if (normalize !== undefined) req.body = normalize(bodyOf(req));
      const access = await enter(context, auth, req, res);
      const params = paramsOf(req);
      await handle(context, {
        req,
        res,
        access,
        get caller() {
          return callerOf(res);
        },
        get viewer() {
          return { caller: callerOf(res), access };
        },
        params: params as Record<ParameterOf<Path>, string>,
        query: (query && parse(query, req.query, 'query')) as z.output<Query>,
        headers: headersOf(req, headers ?? {}) as RouteCall<Path, unknown, unknown, Headers>['headers'],
        body: (body && parse(body, bodyOf(req), 'request body')) as z.output<Body>,
      });
    };
  };
  return { ...description, handler };
}

/**
 * Returns the body of a request, which Express has parsed already. An absent body counts as an
 * empty object.
 */
export function bodyOf(req: Request): unknown {
  return (req.body as unknown) ?? {};
}

function paramsOf(req: Request): Record<string, string> {
  const entries = Object.entries(req.params).map(([name, value]) => {
    const text = String(value);
    return [name, NAMES.includes(name) ? text : parse(uuid, text, name)] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * Headers that count as absent if they are empty. Clients of event streams send an empty
 * `Last-Event-ID` if they have seen no event.
 */
const ABSENT_IF_EMPTY: readonly string[] = ['Last-Event-ID'];

function headersOf(req: Request, schemas: Schemas): Record<string, unknown> {
  const entries = Object.entries(schemas).map(([name, schema]) => {
    const value = req.headers[name.toLowerCase()];
    const isAbsent = value === undefined || (value === '' && ABSENT_IF_EMPTY.includes(name));
    return [name, isAbsent ? undefined : parse(schema, value, name)] as const;
  });
  return Object.fromEntries(entries);
}
