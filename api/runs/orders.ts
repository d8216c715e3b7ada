import type { Request } from 'express';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { Access, Viewer } from '../../conversations/access.js';
import type { RunOrder } from '../../conversations/build-run.js';
import type { Caller } from '../../protocol/index.js';
import type { RunBody } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { withHeaders } from './headers.js';

/**
 * The parts of an HTTP request from which a {@link RunOrder} is built. An order says what is asked
 * of a run, and by which caller.
 */
interface RunCall {
  readonly viewer: Viewer;
  readonly body: unknown;
  readonly headers: { readonly 'Idempotency-Key': string | undefined };
  readonly req: Request;
}

/** Returns the `RunOrder` for a run on the thread that the path of the HTTP request names. */
export function threadOrder(call: RunCall & { readonly params: { readonly thread_id: string } }): RunOrder {
  return { ...orderOf(call), threadId: call.params.thread_id, runId: uuid7() };
}

/** Returns the `RunOrder` for a stateless run, which gets a new thread of its own. */
export function statelessOrder(context: Pick<ApiContext, 'deriveId'>, call: RunCall): RunOrder {
  return orderWithoutThread(context, orderOf(call));
}

/**
 * Completes the `RunOrder` for a stateless run: adds the run id and the thread id. Both are the
 * same id. If there is an idempotency key, the id is derived from the key, so that a repeated
 * request finds the first run.
 */
export function orderWithoutThread(
  { deriveId }: Pick<ApiContext, 'deriveId'>,
  order: { caller: Caller; access: Access; body: RunBody; key?: string },
): RunOrder {
  const id = order.key === undefined ? uuid7() : deriveId(order.caller, 'stateless run', order.key);
  return { ...order, threadId: id, runId: id, stateless: true };
}

function orderOf({ viewer, body, headers, req }: RunCall) {
  const key = headers['Idempotency-Key'];
  return { ...viewer, body: withHeaders(body as RunBody, req.headers), ...(key !== undefined && { key }) };
}
