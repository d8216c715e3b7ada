import type { IncomingMessage } from 'node:http';
import { ColloquyError } from '../../protocol/index.js';
import { toWebRequest } from '../custom-app/web-bridge.js';
import { callHandler } from './handler-error.js';
import type { AuthUser, ProjectAuth } from './ports.js';
import type { AuthFilters } from '../../conversations/filters.js';

/** The handlers inside an `Auth` object, whichever copy of LangGraph's SDK has created it. */
interface Handlers {
  authenticate?: (request: Request) => unknown;
  callbacks?: Record<string, (request: Record<string, unknown>) => unknown>;
}

/**
 * The value of the header `x-auth-scheme` in requests of LangGraph Studio. Any client can send it.
 */
const STUDIO_SCHEME = 'langsmith';
const STUDIO_USER: AuthUser = {
  user: {
    kind: 'StudioUser',
    identity: 'langgraph-studio-user',
    display_name: 'langgraph-studio-user',
    permissions: [],
    is_authenticated: true,
  },
  scopes: [],
};

/**
 * Wraps the `Auth` that a project exports. With `acceptStudio`, a request with Studio's header
 * `x-auth-scheme` belongs to Studio's user, and the `authenticate` handler is not called. Errors:
 * `invalid_argument` if the export is not an `Auth`, or has no `authenticate` handler.
 */
export function createProjectAuth(exported: unknown, { acceptStudio }: { acceptStudio: boolean }): ProjectAuth {
  const handlers = handlersOf(exported);
  const { authenticate, callbacks = {} } = handlers;
  return {
    async authenticate(request) {
      if (acceptStudio && request.headers['x-auth-scheme'] === STUDIO_SCHEME) return STUDIO_USER;
      const web = withoutBody(request);
      return toUser(await callHandler('authenticate', () => authenticate(web)));
    },
    async authorize(authUser, event, value) {
      const [resource = '', action = ''] = event.split(':');
      const key = [event, resource, `*:${action}`, '*'].find((name) => Object.hasOwn(callbacks, name));
      const handler = key === undefined ? undefined : callbacks[key];
      if (handler === undefined) return undefined;
      const { user, scopes } = authUser;
      const request = { event, resource, action, value, user, permissions: scopes };
      return toFilters(event, await callHandler(event, () => handler(request)));
    },
  };
}

function handlersOf(exported: unknown): Handlers & Required<Pick<Handlers, 'authenticate'>> {
  const handlers = (exported as { '~handlerCache'?: Handlers } | null)?.['~handlerCache'];
  const authenticate = handlers?.authenticate;
  if (handlers !== undefined && typeof authenticate === 'function') return { ...handlers, authenticate };
  const problem =
    handlers === undefined ? 'is not an Auth of @langchain/langgraph-sdk/auth' : 'has no authenticate handler';
  throw new ColloquyError('invalid_argument', `auth.path: the export ${problem}`, { field: 'auth.path' });
}

/**
 * Returns a copy of the request without its body, for the handler `authenticate`. The handler needs
 * only the headers, which contain the credentials. The body is left for the routes.
 */
function withoutBody(request: IncomingMessage): Request {
  const { url, method, headers } = toWebRequest(request, new Uint8Array());
  return new Request(url, { method, headers });
}

function toUser(answer: unknown): AuthUser {
  if (typeof answer === 'string') {
    return {
      user: { identity: answer, display_name: answer, permissions: [], is_authenticated: true },
      scopes: [],
    };
  }
  const user = (answer ?? {}) as Record<string, unknown>;
  const { identity } = user;
  if (typeof identity !== 'string' || identity === '') {
    throw new ColloquyError('unauthenticated', 'Unauthorized: authenticate gave no identity');
  }
  const scopes = Array.isArray(user['permissions']) ? (user['permissions'] as string[]) : [];
  const defaults = { is_authenticated: true, display_name: identity };
  return { user: { ...defaults, ...user, identity, permissions: scopes }, scopes };
}

function toFilters(event: string, answer: unknown): AuthFilters | undefined {
  if (answer === undefined || answer === null || answer === true) return undefined;
  if (answer === false) throw new ColloquyError('forbidden', `Forbidden: ${event}`);
  if (isPlain(answer)) return answer;
  throw new ColloquyError(
    'internal',
    `auth: the handler of ${event} gave ${describeAnswer(answer)}; expected a plain object of filters, or a boolean`,
  );
}

/**
 * Returns true if the answer of a handler is a plain object. Only a plain object can contain
 * filters. A Map or a date, for example, has no properties of its own. If it were accepted, it
 * would mean "no filters", and every record would match.
 */
function isPlain(answer: unknown): answer is AuthFilters {
  if (typeof answer !== 'object' || answer === null) return false;
  const prototype: unknown = Object.getPrototypeOf(answer);
  // The object may come from another JavaScript realm, for example if the handler runs in `vm`. So
  // this code does not compare the prototype with `Object.prototype` of this realm.
  const isBase = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isBase && !Array.isArray(answer) && Object.getOwnPropertySymbols(answer).length === 0;
}

function describeAnswer(answer: unknown): string {
  return typeof answer === 'object' ? `a ${answer?.constructor?.name ?? 'object'}` : `a ${typeof answer}`;
}
