import { z } from 'zod';
import { acceptRun, checkOrder } from '../../conversations/accept-run.js';
import type { Access } from '../../conversations/access.js';
import type { RunOrder } from '../../conversations/build-run.js';
import { findUsableAssistant } from '../../conversations/find.js';
import { mapLimited } from '../../conversations/map-limited.js';
import { runToWire, type Caller } from '../../protocol/index.js';
import { idempotencyKey, runAnswer, runBatch, wireSpelling, type RunBody } from '../../protocol/schemas/index.js';
import { EACH_RUN, isObject, type RequestBody } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';
import { withHeaders } from './headers.js';
import { orderWithoutThread } from './orders.js';

const runsOf = ({ items }: RequestBody) => (Array.isArray(items) ? items.filter(isObject) : []);

export const batchRoute = route({
  method: 'post',
  path: '/runs/batch',
  group: 'runs',
  tag: 'Stateless runs',
  summary: 'Start runs in the background, each on a new thread',
  body: runBatch,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: z.array(runAnswer) },
  refusals: [404, 409, 429],
  action: 'run.create',
  auth: { kind: 'threads', event: 'threads:create_run', creates: 'run', runs: runsOf, eachRun: EACH_RUN },
  // In a batch, LangGraph's SDK also sends field names of its own, such as `assistantId`. They are
  // changed to the names of the HTTP API, such as `assistant_id`, because the project's auth
  // handler knows only the names of the HTTP API.
  normalize: wireSpelling,
  async handle(context, { viewer, body: bodies, headers, req, res }) {
    const key = headers['Idempotency-Key'];
    const orders = bodies.map((body, index) =>
      orderWithoutThread(context, {
        ...viewer,
        body: withHeaders(body as RunBody, req.headers),
        ...(key !== undefined && { key: `${key}/${index}` }),
      }),
    );
    await checkAll(context, viewer.caller, viewer.access, orders);
    const runs = await mapLimited(orders, async (order) => {
      const accepted = await acceptRun(context, order);
      await Promise.all([accepted.admit?.(), accepted.bound]);
      return accepted.run;
    });
    res.json(runs.map(runToWire));
  },
});

/**
 * Checks the feedback keys, the webhook URL and the assistant of every run in a batch. Must be
 * called before the first run is accepted: if one check fails, the whole batch is refused.
 */
async function checkAll(context: ApiContext, caller: Caller, access: Access, orders: RunOrder[]): Promise<void> {
  for (const order of orders) checkOrder(context, order);
  const assistants = [...new Set(orders.map(({ body }) => body.assistant_id))];
  await mapLimited(assistants, (id) => findUsableAssistant(context, caller, access, id));
}
