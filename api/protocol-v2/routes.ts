import type { Response } from 'express';
import type { z } from 'zod';
import type { Access } from '../../conversations/access.js';
import type { ClientEvent } from '../../conversations/run-events.js';
import { firstOf, type Caller } from '../../protocol/index.js';
import {
  commandAnswer,
  commandEnvelope,
  eventStreamRequest,
  idempotencyKey,
  lastProtocolEventId,
} from '../../protocol/schemas/index.js';
import {
  aboutThread,
  isObject,
  keepFields,
  keepMetadata,
  runValue,
  type Body,
  type RuleRequest,
} from '../auth/rules.js';
import { watchAccess } from '../auth/stream-access.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';
import { openEventStream, writeEvents } from '../http/sse.js';
import { channelFilter } from './channels.js';
import { followCommand } from './commands.js';
import type { ProtocolEvent } from './events.js';
import { threadEvents } from './thread-events.js';

/** Commands that only read need no more rights than reading. */
const READING_COMMANDS: readonly unknown[] = ['state.get', 'state.listCheckpoints', 'agent.getTree'];

/** The parameters of a command that is one of these, for rules about runs. */
const paramsOf =
  (...methods: unknown[]) =>
  ({ method, params }: Body) =>
    methods.includes(method) && isObject(params) ? [params] : [];

/** The parameters of a command that starts a run, as those of a run; an answer to a question is its command. */
function commandValue(req: RuleRequest, params: Body): Body {
  const { response, responses, update, goto } = params;
  const answers = response !== undefined || responses !== undefined;
  const command = answers && { resume: response ?? responses, update, goto };
  return runValue(req, { ...params, ...(command && { command }) });
}

/** Commands that start a run are asked about as the run. A fork keeps the metadata of its thread. */
export const COMMAND_RULE = aboutThread(
  ({ method }) => (READING_COMMANDS.includes(method) ? 'threads:read' : 'threads:create_run'),
  {
    mayBegin: () => true,
    creates: 'run',
    runs: paramsOf('run.start', 'input.respond', 'state.fork'),
    eachRun: {
      value: commandValue,
      apply: (params, value) => {
        if (!('checkpoint_id' in params)) keepMetadata(params, value);
        keepFields(['input', 'config'], params, value);
      },
    },
    stamps: paramsOf('run.start', 'input.respond'),
  },
);

/** A client may subscribe to a thread before its first run creates it. */
export const EVENTS_RULE = aboutThread('threads:read', { mayBegin: () => true });

export const commandsRoute = route({
  method: 'post',
  path: '/threads/:thread_id/commands',
  group: 'runs',
  tag: 'Protocol v2',
  summary: 'Follow a command of the agent protocol',
  body: commandEnvelope,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: commandAnswer },
  action: 'run.create',
  auth: COMMAND_RULE,
  async handle(context, { viewer, params, headers, body, res }) {
    const key = headers['Idempotency-Key'];
    const target = { ...viewer, threadId: params.thread_id, ...(key !== undefined && { key }) };
    res.json(await followCommand(context, target, body));
  },
});

export const eventsRoute = route({
  method: 'post',
  path: '/threads/:thread_id/stream/events',
  group: 'runs',
  tag: 'Protocol v2',
  summary: 'Events of a thread over all its runs, by server-sent events; the same path takes WebSockets',
  body: eventStreamRequest,
  headers: { 'Last-Event-ID': lastProtocolEventId },
  answers: { 200: 'events' },
  action: 'event.read',
  auth: EVENTS_RULE,
  async handle(context, { caller, access, params, headers, body, res }) {
    const since = headers['Last-Event-ID'] ?? body.since ?? 0;
    await streamEvents(context, { caller, access, res }, params.thread_id, body, since);
  },
});

type EventStreamRequest = z.output<typeof eventStreamRequest>;

interface Subscriber {
  caller: Caller;
  access: Access;
  res: Response;
}

/** Streams the events of a thread until the client leaves or this server shuts down. */
async function streamEvents(
  context: ApiContext,
  { caller, access, res }: Subscriber,
  threadId: string,
  filter: EventStreamRequest,
  since: number,
): Promise<void> {
  const gone = new AbortController();
  if (res.closed) return;
  res.once('close', () => gone.abort());
  const watch = watchAccess(context, access, threadId);
  const { signal } = firstOf(gone.signal, watch.lost, context.shutdown);
  const wanted = channelFilter(filter);
  const scoped = { ...context, events: watch.events };
  const events = threadEvents(scoped, caller, { threadId, since, signal });
  openEventStream(res);
  try {
    await writeEvents(res, wantedEvents(), context.options);
  } finally {
    watch.stop();
  }
  // The stream ends only when this server shuts down. It is cut off, so that the client reconnects.
  res.destroy();

  async function* wantedEvents(): AsyncGenerator<ClientEvent[]> {
    for await (const batch of events) yield batch.filter(wanted).map(clientEvent);
  }
}

function clientEvent(event: ProtocolEvent): ClientEvent {
  return { id: event.event_id, event: event.method, data: JSON.stringify(event) };
}
