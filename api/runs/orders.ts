import type { Request, Response } from 'express';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { z } from 'zod';
import type { Caller } from '../../protocol/index.js';
import { idempotencyKey, type RunBody } from '../../protocol/schemas/index.js';
import type { RunOrder } from '../../conversations/build-run.js';
import { accessOf } from '../auth/access.js';
import { type Access } from '../../conversations/access.js';
import { callerOf, type ApiContext } from '../context.js';
import { bodyOf, pathId } from '../http/params.js';
import { withHeaders } from './headers.js';
import { parse } from '../http/validate.js';

/** Reads the run that a request asks for. */
export type OrderReader = (context: ApiContext, req: Request, res: Response) => RunOrder;

export function threadOrder(schema: z.ZodType<unknown>): OrderReader {
  return (context, req, res) => ({
    caller: callerOf(res),
    access: accessOf(context, res),
    threadId: pathId(req, 'thread_id'),
    runId: uuid7(),
    body: withHeaders(parse(schema, bodyOf(req), 'request body') as RunBody, req.headers),
    ...keyOf(req),
  });
}

export function statelessOrder(schema: z.ZodType<unknown>): OrderReader {
  return (context, req, res) => {
    const body = withHeaders(parse(schema, bodyOf(req), 'request body') as RunBody, req.headers);
    return orderWithoutThread(context, { caller: callerOf(res), access: accessOf(context, res), body, ...keyOf(req) });
  };
}

/**
 * The thread of a stateless run has the run's own id. With an idempotency key it is made from that, so that a repeated request
 * finds its run.
 */
export function orderWithoutThread(
  { deriveId }: Pick<ApiContext, 'deriveId'>,
  order: { caller: Caller; access: Access; body: RunBody; key?: string },
): RunOrder {
  const id = order.key === undefined ? uuid7() : deriveId(order.caller, 'stateless run', order.key);
  return { ...order, threadId: id, runId: id, stateless: true };
}

export function keyOf(req: Request): { key?: string } {
  const key = req.headers['idempotency-key'];
  return key === undefined ? {} : { key: parse(idempotencyKey, key, 'Idempotency-Key') };
}
