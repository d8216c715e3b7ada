import { z } from 'zod';
import {
  cronAnswer,
  cronBackfill,
  cronCount,
  cronCreate,
  cronPatch,
  cronSearch,
  threadCronCreate,
} from '../../protocol/schemas/index.js';
import type { Operation } from './operation.js';

const tag = 'Crons';

export const CRON_OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/runs/crons',
    tag,
    summary: 'Run an assistant by a schedule, each time on a thread of its own',
    body: cronCreate,
    answers: { 200: cronAnswer },
    refusals: [404],
  },
  {
    method: 'post',
    path: '/threads/:thread_id/runs/crons',
    tag,
    summary: 'Run an assistant on a thread by a schedule',
    body: threadCronCreate,
    answers: { 200: cronAnswer },
  },
  {
    method: 'post',
    path: '/runs/crons/search',
    tag,
    summary: 'Find crons',
    body: cronSearch,
    answers: { 200: z.array(cronAnswer.partial()) },
    refusals: [404],
  },
  {
    method: 'post',
    path: '/runs/crons/count',
    tag,
    summary: 'Count crons',
    body: cronCount,
    answers: { 200: z.int() },
    refusals: [404],
  },
  {
    method: 'get',
    path: '/runs/crons/:cron_id',
    tag,
    summary: 'A cron',
    answers: { 200: cronAnswer },
  },
  {
    method: 'patch',
    path: '/runs/crons/:cron_id',
    tag,
    summary: 'Change a cron: what is absent stays, null clears',
    body: cronPatch,
    answers: { 200: cronAnswer },
    refusals: [409],
  },
  {
    method: 'delete',
    path: '/runs/crons/:cron_id',
    tag,
    summary: 'Delete a cron; its runs stay',
    answers: { 204: 'nothing' },
  },
  {
    method: 'post',
    path: '/runs/crons/:cron_id/backfill',
    tag,
    summary: 'Fire now for every scheduled time of a period that is past and has no run yet',
    body: cronBackfill,
    answers: { 202: 'nothing' },
  },
];
