import type { Request } from 'express';
import { v5 as uuid5, v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { z } from 'zod';
import type { Caller } from '../protocol/index.js';
import { idempotencyKey, type RunBody } from '../protocol/schemas/index.js';
import type { RunOrder } from './accept-run.js';
import { bodyOf, pathId } from './params.js';
import { withHeaders } from './run-headers.js';
import { parse } from './validate.js';

/** Reads the run that a request asks for. */
export type OrderReader = (req: Request, caller: Caller) => RunOrder;

/** Stateless runs get their id from their idempotency key, so that a repeated request finds its run. */
const STATELESS_NAMESPACE = 'a7b0a3a5-6a52-5c9b-8a55-0d1c6f0a7e11';

export function threadOrder(schema: z.ZodType<unknown>): OrderReader {
  return (req, caller) => ({
    caller,
    threadId: pathId(req, 'thread_id'),
    runId: uuid7(),
    body: withHeaders(parse(schema, bodyOf(req), 'request body') as RunBody, req.headers),
    ...keyOf(req),
  });
}

export function statelessOrder(schema: z.ZodType<unknown>): OrderReader {
  return (req, caller) => {
    const body = withHeaders(parse(schema, bodyOf(req), 'request body') as RunBody, req.headers);
    return orderWithoutThread(caller, body, keyOf(req).key);
  };
}

/** The thread of a stateless run has the run's own id. */
export function orderWithoutThread(caller: Caller, body: RunBody, key?: string): RunOrder {
  const id = key === undefined ? uuid7() : uuid5(`${caller.tenant}/${key}`, STATELESS_NAMESPACE);
  return { caller, threadId: id, runId: id, body, stateless: true, ...(key !== undefined && { key }) };
}

export function keyOf(req: Request): { key?: string } {
  const key = req.headers['idempotency-key'];
  return key === undefined ? {} : { key: parse(idempotencyKey, key, 'Idempotency-Key') };
}
