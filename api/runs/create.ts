import { z } from 'zod';
import type { Response } from 'express';
import { acceptRun, type AcceptedRun } from '../../conversations/accept-run.js';
import type { RunOrder } from '../../conversations/build-run.js';
import {
  createStreamQuery,
  idempotencyKey,
  runAnswer,
  statelessRun,
  statelessRunInBackground,
  threadRun,
  threadRunInBackground,
} from '../../protocol/schemas/index.js';
import { runToWire } from '../../protocol/index.js';
import { startsRun, startsStatelessRun } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { answerSlowly } from '../http/keep-alive.js';
import { route } from '../http/route.js';
import { attachAccepted, streamRun, type Attachment, type RunFollower } from './follow.js';
import { setLocation } from './location.js';
import { statelessOrder, threadOrder } from './orders.js';
import { runOutput } from './values.js';

export const createRoute = route({
  method: 'post',
  path: '/threads/:thread_id/runs',
  group: 'runs',
  tag: 'Runs',
  summary: 'Start a run in the background',
  body: threadRunInBackground,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: runAnswer },
  refusals: [409, 429],
  action: 'run.create',
  auth: startsRun(),
  async handle(context, call) {
    await startInBackground(context, call.res, threadOrder(call));
  },
});

export const createAndWaitRoute = route({
  method: 'post',
  path: '/threads/:thread_id/runs/wait',
  group: 'runs',
  tag: 'Runs',
  summary: 'Start a run and wait for its values',
  body: threadRun,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: z.unknown() },
  refusals: [409, 429],
  action: 'run.create',
  auth: startsRun(),
  async handle(context, call) {
    await startAndWait(context, call, threadOrder(call));
  },
});

export const createAndStreamRoute = route({
  method: 'post',
  path: '/threads/:thread_id/runs/stream',
  group: 'runs',
  tag: 'Runs',
  summary: 'Start a run and stream its events',
  body: threadRun,
  query: createStreamQuery,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: 'events' },
  refusals: [409, 429],
  action: 'run.create',
  auth: startsRun(),
  async handle(context, call) {
    await startAndStream(context, call, threadOrder(call), call.query.namespace);
  },
});

export const statelessCreateRoute = route({
  method: 'post',
  path: '/runs',
  group: 'runs',
  tag: 'Stateless runs',
  summary: 'Start a run in the background, on a new thread',
  body: statelessRunInBackground,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: runAnswer },
  refusals: [404, 409, 429],
  action: 'run.create',
  auth: startsStatelessRun(),
  async handle(context, call) {
    await startInBackground(context, call.res, statelessOrder(context, call));
  },
});

export const statelessWaitRoute = route({
  method: 'post',
  path: '/runs/wait',
  group: 'runs',
  tag: 'Stateless runs',
  summary: 'Start a run on a new thread and wait for its values',
  body: statelessRun,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: z.unknown() },
  refusals: [404, 409, 429],
  action: 'run.create',
  auth: startsStatelessRun(),
  async handle(context, call) {
    await startAndWait(context, call, statelessOrder(context, call));
  },
});

export const statelessStreamRoute = route({
  method: 'post',
  path: '/runs/stream',
  group: 'runs',
  tag: 'Stateless runs',
  summary: 'Start a run on a new thread and stream its events',
  body: statelessRun,
  query: createStreamQuery,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: 'events' },
  refusals: [404, 409, 429],
  action: 'run.create',
  auth: startsStatelessRun(),
  async handle(context, call) {
    await startAndStream(context, call, statelessOrder(context, call), call.query.namespace);
  },
});

async function startInBackground(context: ApiContext, res: Response, order: RunOrder): Promise<void> {
  const accepted = await acceptRun(context, order);
  await Promise.all([accepted.admit?.(), accepted.bound]);
  setLocation(res, accepted.run, 'join');
  res.json(runToWire(accepted.run));
}

type Requester = Pick<RunFollower, 'access' | 'res'>;

async function startAndWait(context: ApiContext, { access, res }: Requester, order: RunOrder): Promise<void> {
  const accepted = await acceptRun(context, order);
  setLocation(res, accepted.run, 'join');
  const follower = { caller: order.caller, access, res };
  await answerSlowly(context, res, runOutput(context, follower, attach(order, accepted), accepted.bound));
}

async function startAndStream(
  context: ApiContext,
  { access, res }: Requester,
  order: RunOrder,
  namespaces: string[] | undefined,
): Promise<void> {
  const accepted = await acceptRun(context, order);
  setLocation(res, accepted.run, 'stream');
  const follower = { caller: order.caller, access, res };
  await streamRun(context, follower, attach(order, accepted), { namespaces }, accepted.bound);
}

function attach(order: RunOrder, accepted: AcceptedRun): Attachment {
  return attachAccepted(accepted, order.body.on_disconnect === 'cancel');
}
