import { z } from 'zod';
import { MULTITASK_STRATEGIES } from '../run.js';
import { jsonObject, limit, notServed, uuid } from './common.js';
import { config } from './config.js';
import { metadata } from './metadata.js';
import { command } from './run.js';
import { MAX_NAMES, MAX_TEXT, name, names, text } from './text.js';

/**
 * Channels of protocol v2 (`@langchain/protocol`): the kinds of events that a client can ask for.
 * They are not the channels of a graph's state.
 */

const CHANNELS = [
  'values',
  'updates',
  'messages',
  'tools',
  'lifecycle',
  'input',
  'checkpoints',
  'tasks',
  'custom',
] as const;

const channel = name.refine(
  (given) => (CHANNELS as readonly string[]).includes(given) || /^custom:./.test(given),
  `expected one of ${CHANNELS.join(', ')}, or custom:<name>`,
);

/**
 * Maximum number of segments of a namespace. A namespace has one segment for each level of nested
 * subgraphs.
 */
const MAX_NAMESPACE_PARTS = 64;
const namespace = z.array(name).max(MAX_NAMESPACE_PARTS);

const filter = {
  channels: z.array(channel).min(1).max(MAX_NAMES),
  namespaces: z.array(namespace).max(MAX_NAMES).nullish(),
  depth: z.int().min(0).nullish(),
  /** Sequence number (`seq`) of the last protocol event that the client received. */
  since: z.int().min(0).nullish(),
};

/** Body of `POST /threads/{id}/stream/events`. */
export const eventStreamRequest = z.strictObject(filter);
export type EventStreamRequest = z.infer<typeof eventStreamRequest>;

/**
 * Body of `POST /threads/{id}/commands`. Over a WebSocket, every message of the client has this
 * form.
 */
export const commandEnvelope = z.looseObject({
  id: z.int().min(0),
  method: name.min(1),
  params: jsonObject.nullish(),
});

export const runStartParams = z
  .strictObject({
    assistant_id: name.min(1),
    input: z.unknown().optional(),
    config: config.nullish(),
    metadata: metadata.nullish(),
    multitask_strategy: z.enum(MULTITASK_STRATEGIES).nullish(),
    /** Older spelling of `multitask_strategy`. The SDK sends both spellings. */
    multitaskStrategy: z.enum(MULTITASK_STRATEGIES).nullish(),
    langsmith_tracer: notServed('LangSmith tracing'),
  })
  .refine(
    (params) =>
      !params.multitask_strategy || [undefined, null, params.multitask_strategy].includes(params.multitaskStrategy),
    { path: ['multitaskStrategy'], message: 'is not the multitask_strategy' },
  );

const answer = { namespace: namespace.nullish(), interrupt_id: name.min(1), response: z.unknown().optional() };

const resumption = {
  update: command.shape.update,
  goto: command.shape.goto,
  config: config.nullish(),
  metadata: metadata.nullish(),
  strict_resume: z.boolean().nullish(),
};

export const inputRespondParams = z.union([
  z.strictObject({ ...answer, ...resumption }),
  z.strictObject({ responses: z.array(z.strictObject(answer)).min(1).max(MAX_NAMES), ...resumption }),
]);

/**
 * Parameters of `input.inject`. The chat message has the fields that protocol v2 gives to messages.
 * In addition it may have an `id`; without one, the server makes an id.
 */
export const inputInjectParams = z.strictObject({
  namespace: namespace.nullish(),
  message: z.strictObject({
    role: z.enum(['user', 'system']),
    content: z.string().min(1),
    name: name.min(1).nullish(),
    id: text(256).min(1).nullish(),
  }),
});

export const subscribeParams = z.strictObject(filter);
/** Schema of the filter that the id of a subscription contains. This filter has no `since`. */
export const subscriptionFilter = z.strictObject(filter).omit({ since: true });
export const unsubscribeParams = z.strictObject({ subscription_id: text(MAX_TEXT) });

export const stateGetParams = z.strictObject({ namespace: namespace.nullish(), keys: names.nullish() });

export const listCheckpointsParams = z.strictObject({
  namespace: namespace.nullish(),
  limit: limit.nullish(),
  before: uuid.nullish(),
});

export const stateForkParams = z.strictObject({
  checkpoint_id: uuid,
  input: z.unknown().optional(),
  config: config.nullish(),
});

export const getTreeParams = z.strictObject({ run_id: uuid.nullish() });

/**
 * Header `Last-Event-ID` of an event stream of protocol v2. Its value is the id of an event, such
 * as `1700000000000-42`, where 42 is the sequence number of the event. An id may have the prefix
 * `synth:<run id>:`. The value `-1` stands for the start of the stream. The schema parses an id to
 * the sequence number, and `-1` to 0.
 */
export const lastProtocolEventId = z
  .string()
  .regex(/^(-1|(synth:[^:]+:)?\d{1,16}-\d{1,16})$/, 'expected an event id of this server, or -1 for the start')
  .transform((id) => (id === '-1' ? 0 : Number(id.slice(id.lastIndexOf('-') + 1))));

export const reconnectParams = z.strictObject({
  run_id: uuid,
  last_event_id: lastProtocolEventId.nullish(),
  subscriptions: z.array(text(MAX_TEXT)).max(MAX_NAMES).nullish(),
});
