import {
  idempotencyKey,
  infoAnswer,
  commandAnswer,
  commandEnvelope,
  eventStreamRequest,
  lastProtocolEventId,
  okAnswer,
} from '../../protocol/schemas/index.js';
import { ASSISTANT_OPERATIONS } from './assistant-operations.js';
import { CRON_OPERATIONS } from './cron-operations.js';
import type { Operation } from './operation.js';
import { STORE_OPERATIONS } from './store-operations.js';
import { RUN_OPERATIONS } from './run-operations.js';
import { THREAD_OPERATIONS } from './thread-operations.js';

const KEYED = { 'Idempotency-Key': idempotencyKey };

const system: Operation[] = [
  { method: 'get', path: '/ok', tag: 'System', summary: 'Is it there?', answers: { 200: okAnswer } },
  {
    method: 'get',
    path: '/info',
    tag: 'System',
    summary: 'Versions, and what is served',
    answers: { 200: infoAnswer },
  },
];

const protocol: Operation[] = [
  {
    method: 'post',
    path: '/threads/:thread_id/commands',
    tag: 'Protocol v2',
    summary: 'Follow a command of the agent protocol',
    body: commandEnvelope,
    headers: KEYED,
    answers: { 200: commandAnswer },
  },
  {
    method: 'post',
    path: '/threads/:thread_id/stream/events',
    tag: 'Protocol v2',
    summary: 'Events of a thread over all its runs, by server-sent events; the same path takes WebSockets',
    body: eventStreamRequest,
    headers: { 'Last-Event-ID': lastProtocolEventId },
    answers: { 200: 'events' },
  },
];

/** Everything that the API serves, in the order of the reference page. A test holds it to the routes that there are. */
export const OPERATIONS: readonly Operation[] = [
  ...system,
  ...ASSISTANT_OPERATIONS,
  ...THREAD_OPERATIONS,
  ...RUN_OPERATIONS,
  ...CRON_OPERATIONS,
  ...protocol,
  ...STORE_OPERATIONS,
];
