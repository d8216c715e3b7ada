import type { Response } from 'express';

import type { Access } from '../../conversations/access.js';
import type { ClientEvent } from '../../conversations/run-events.js';
import { firstOf, type Caller } from '../../protocol/index.js';
import {
  commandAnswer,
  commandEnvelope,
  eventStreamRequest,
  idempotencyKey,
  lastProtocolEventId,
  type EventStreamRequest,
} from '../../protocol/schemas/index.js';
import {
  aboutThread,
  isObject,
  keepFields,
  keepMetadata,
  runValue,
  type RequestBody,
  type RuleRequest,
} from '../auth/rules.js';
import { watchAccess } from '../auth/stream-access.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';
import { openEventStream, writeEvents } from '../http/sse.js';
import { channelFilter } from './channels.js';
import { executeCommand } from './commands.js';
import type { ProtocolEvent } from './events.js';
import { protocolEvents } from './thread-events.js';

/**
 * Commands that only read. The caller of such a command needs only the permission to read the
 * thread.
 */
const READING_COMMANDS: readonly unknown[] = ['state.get', 'state.listCheckpoints', 'agent.getTree'];

/**
 * Returns a function that an auth rule calls to get the runs that a command starts. For a command
 * in `methods`, the function returns one run: the parameters of the command, which have the fields
 * of a run. For any other command, it returns an empty list.
 */
const paramsOfCommands =
  (...methods: unknown[]) =>
  ({ method, params }: RequestBody) =>
    methods.includes(method) && isObject(params) ? [params] : [];

/**
 * Returns the value that an auth handler gets if a command starts a run. The value has the same
 * fields as the value for a run of the HTTP run API. If the command answers interrupts, the field
 * `kwargs.command.resume` of the value contains the answers.
 */
function commandValue(req: RuleRequest, params: RequestBody): RequestBody {
  const { response, responses, update, goto } = params;
  const answers = response !== undefined || responses !== undefined;
  const command = answers && { resume: response ?? responses, update, goto };
  return runValue(req, { ...params, ...(command && { command }) });
}

/**
 * The auth rule for commands. If a command starts a run, the auth handler gets the same value as
 * for a run of the HTTP run API, and may change it. For the command `state.fork`, metadata that the
 * handler adds are ignored, because this command has no metadata.
 */
export const COMMAND_RULE = aboutThread(
  ({ method }) => (READING_COMMANDS.includes(method) ? 'threads:read' : 'threads:create_run'),
  {
    mayBegin: () => true,
    creates: 'run',
    runs: paramsOfCommands('run.start', 'input.respond', 'state.fork'),
    eachRun: {
      value: commandValue,
      apply: (params, value) => {
        if (!('checkpoint_id' in params)) keepMetadata(params, value);
        keepFields(['input', 'config'], params, value);
      },
    },
    stamps: paramsOfCommands('run.start', 'input.respond'),
  },
);

/**
 * The auth rule for event streams. A client may subscribe to a thread that does not exist yet,
 * because the first run may create it later.
 */
export const EVENTS_RULE = aboutThread('threads:read', { mayBegin: () => true });

export const commandsRoute = route({
  method: 'post',
  path: '/threads/:thread_id/commands',
  group: 'runs',
  tag: 'Protocol v2',
  summary: 'Execute a command of the agent protocol',
  body: commandEnvelope,
  headers: { 'Idempotency-Key': idempotencyKey },
  answers: { 200: commandAnswer },
  action: 'run.create',
  auth: COMMAND_RULE,
  async handle(context, { viewer, params, headers, body, res }) {
    const key = headers['Idempotency-Key'];
    const target = { ...viewer, threadId: params.thread_id, ...(key !== undefined && { key }) };
    res.json(await executeCommand(context, target, body));
  },
});

export const eventsRoute = route({
  method: 'post',
  path: '/threads/:thread_id/stream/events',
  group: 'runs',
  tag: 'Protocol v2',
  summary: 'Events of all runs of a thread as server-sent events; the path also accepts WebSockets',
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

interface Subscriber {
  caller: Caller;
  access: Access;
  res: Response;
}

/**
 * Streams the events of a thread. The stream ends when the client disconnects, when the client may
 * no longer read the thread, or when this server shuts down.
 */
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
  const events = protocolEvents(scoped, caller, { threadId, since, signal });
  openEventStream(res);
  try {
    await writeEvents(res, wantedEvents(), context.options);
  } finally {
    watch.stop();
  }
  // The stream has ended because the client disconnected, the client may no longer read the thread,
  // or the server shuts down. A client that is still connected sees a broken connection and
  // reconnects.
  res.destroy();

  async function* wantedEvents(): AsyncGenerator<ClientEvent[]> {
    for await (const batch of events) yield batch.filter(wanted).map(toServerSentEvent);
  }
}

function toServerSentEvent(event: ProtocolEvent): ClientEvent {
  return { id: event.event_id, event: event.method, data: JSON.stringify(event) };
}
