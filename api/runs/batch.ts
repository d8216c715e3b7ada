import type { RequestHandler, Router } from 'express';
import type { Caller } from '../../protocol/index.js';
import { runBatch, wireSpelling, type RunBody } from '../../protocol/schemas/index.js';
import { acceptRun, checkOrder } from '../../conversations/accept-run.js';
import { type RunOrder } from '../../conversations/build-run.js';
import { accessOf } from '../auth/access.js';
import { type Access } from '../../conversations/access.js';
import { callerOf, type ApiContext } from '../context.js';
import { findUsableAssistant } from '../../conversations/find.js';
import { inChunks } from '../../conversations/in-chunks.js';
import { bodyOf } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { withHeaders } from './headers.js';
import { keyOf, orderWithoutThread } from './orders.js';
import { parse } from '../http/validate.js';
import { runToWire } from '../http/wire.js';

/** Spells the fields of a batch as they are on the wire; before the gate of a project's auth, which reads and changes them. */
export const spellBatch: RequestHandler = (req, _res, next) => {
  if (req.method === 'POST' && req.path === '/runs/batch') req.body = wireSpelling(bodyOf(req));
  next();
};

/** Many stateless runs by one request. */
export function runBatchRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/runs/batch', async (req, res) => {
    const caller = callerOf(res);
    const bodies = parse(runBatch, bodyOf(req), 'request body');
    const { key } = keyOf(req);
    const access = accessOf(context, res);
    const orders = bodies.map((body, n) =>
      orderWithoutThread(context, {
        caller,
        access,
        body: withHeaders(body as RunBody, req.headers),
        ...(key !== undefined && { key: `${key}/${n}` }),
      }),
    );
    await checkAll(context, caller, access, orders);
    const runs = await inChunks(orders, async (order) => {
      const accepted = await acceptRun(context, order);
      await Promise.all([accepted.admit?.(), accepted.bound]);
      return accepted.run;
    });
    res.json(runs.map(runToWire));
  });

  return router;
}

/** A fault in one of them refuses the batch before any of it has begun. */
async function checkAll(context: ApiContext, caller: Caller, access: Access, orders: RunOrder[]): Promise<void> {
  for (const order of orders) checkOrder(context, order);
  const assistants = [...new Set(orders.map(({ body }) => body.assistant_id))];
  await inChunks(assistants, (id) => findUsableAssistant(context, caller, access, id));
}
