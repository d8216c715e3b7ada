import {
  ColloquyError,
  type Assistant,
  type Caller,
  type CheckpointRef,
  type Run,
  type RunCommand,
  type RunConfig,
  type RunRequest,
  type StreamMode,
  type Thread,
} from '../protocol/index.js';
import { ENGINE_PREFIX, type RunBody, type RunBodyConfig } from '../protocol/schemas/index.js';
import type { NewRun } from '../threads/index.js';
import type { Access } from './access.js';
import { scopedKey } from './idempotency.js';

export interface RunOrder {
  caller: Caller;
  /** What the caller may see: holds the thread and the assistant that the run is found to have. */
  access: Access;
  threadId: string;
  runId: string;
  body: RunBody;
  /** Idempotency key of the request, as the client sent it. */
  key?: string;
  /** The run makes its thread, and the conversation ends with it. */
  stateless?: boolean;
  /** The run was started by protocol v2, whose events it records. */
  streamVersion?: 'v3';
}

/** The message, as graphs take it. */
export interface InjectedMessage {
  role: 'user' | 'system';
  content: string;
  name?: string;
  id: string;
}

/** Keys of `configurable` that say where a run is; the server alone sets them. */
interface RunPlace {
  threadId: string;
  runId: string;
}

const STRICT_RESUME = '__pregel_strict_resume';
const CHECKPOINT_KEYS = ['checkpoint_id', 'checkpoint_ns', 'checkpoint_map'];

/**
 * The record of a run: the only place where one is built, whoever asks for it.
 * Errors: `invalid_argument` where fields contradict each other.
 */
export function buildRun(order: RunOrder, assistant: Assistant, thread: Thread): NewRun {
  const { threadId, runId, body } = order;
  const key = order.key && scopedKey(order.caller, order.key);
  return {
    threadId,
    runId,
    assistantId: assistant.assistantId,
    graphId: assistant.graphId,
    multitaskStrategy: body.multitask_strategy ?? 'enqueue',
    metadata: buildMetadata(body, assistant, thread),
    request: {
      ...buildRequest(body, assistant, thread, order),
      ...(order.streamVersion && { streamVersion: order.streamVersion }),
    },
    ...(key !== undefined && { key }),
  };
}

/**
 * The run that a body asks for. Config and metadata come from assistant, thread and body, the later before the earlier.
 * Errors: `invalid_argument` where fields contradict each other.
 */
export function buildRequest(body: RunBody, assistant: Assistant, thread: Thread, place: RunPlace): RunRequest {
  const checkpoint = runCheckpoint(body, place.threadId);
  const command = commandOf(body);
  const input = inputOf(body);
  if (command && input !== undefined && input !== null) {
    throw invalid('input', 'a run takes an input or a command, not both');
  }
  return {
    ...(input !== undefined && { input }),
    ...(command && { command }),
    config: mergedConfig(body, assistant, thread, place),
    ...mergedContext(assistant.context, body.context),
    ...(checkpoint && { checkpoint }),
    streamModes: streamModes(body),
    streamSubgraphs: body.stream_subgraphs ?? false,
    ...(body.interrupt_before && { interruptBefore: body.interrupt_before }),
    ...(body.interrupt_after && { interruptAfter: body.interrupt_after }),
    ...(body.webhook && { webhook: body.webhook }),
    ...(body.after_seconds && { afterSeconds: body.after_seconds }),
    ...(body.feedback_keys?.length && { feedbackKeys: body.feedback_keys }),
  };
}

/** Agent Chat UI answers questions with a command beside an empty input, which says nothing. */
export function inputOf({ command, input }: Pick<RunBody, 'command' | 'input'>): unknown {
  return command && isPlain(input) && Object.keys(input).length === 0 ? undefined : input;
}

export function buildMetadata(body: RunBody, assistant: Assistant, thread: Thread): Record<string, unknown> {
  return {
    ...(assistant.config['metadata'] as object | undefined),
    ...assistant.metadata,
    ...thread.metadata,
    ...body.config?.metadata,
    ...body.metadata,
  };
}

/** A checkpoint as clients write it, without its empty parts; `undefined` when it names nothing. */
export function checkpointRef(
  wire:
    | { checkpoint_id?: string | null; checkpoint_ns?: string | null; checkpoint_map?: Record<string, string> | null }
    | null
    | undefined,
): CheckpointRef | undefined {
  const ref: CheckpointRef = {
    ...(wire?.checkpoint_id && { checkpointId: wire.checkpoint_id }),
    ...(wire?.checkpoint_ns && { checkpointNs: wire.checkpoint_ns }),
    ...(wire?.checkpoint_map && { checkpointMap: wire.checkpoint_map }),
  };
  return Object.keys(ref).length > 0 ? ref : undefined;
}

/** The checkpoint of a body that may name it twice. */
export function bodyCheckpoint(
  body: Pick<RunBody, 'checkpoint' | 'checkpoint_id'>,
  threadId: string,
): CheckpointRef | undefined {
  const { checkpoint, checkpoint_id: id } = body;
  if (checkpoint?.thread_id && checkpoint.thread_id !== threadId) {
    throw invalid('checkpoint.thread_id', `${checkpoint.thread_id} is not the thread of the request, ${threadId}`);
  }
  if (id && checkpoint?.checkpoint_id && id !== checkpoint.checkpoint_id) {
    throw invalid('checkpoint_id', `${id} is not the checkpoint ${checkpoint.checkpoint_id} of the field checkpoint`);
  }
  return checkpointRef({ ...checkpoint, checkpoint_id: checkpoint?.checkpoint_id || id });
}

/**
 * The checkpoint that a run begins from. LangGraph's own spelling of it is in `configurable`; it means the same.
 * Errors: `invalid_argument` where it is named twice, differently.
 */
export function runCheckpoint(body: RunBody, threadId: string): CheckpointRef | undefined {
  const configurable = body.config?.configurable ?? {};
  const fromConfig = Object.fromEntries(CHECKPOINT_KEYS.map((key) => [key, configurable[key]]));
  return bodyCheckpoint(body, threadId) ?? checkpointRef(fromConfig);
}

function commandOf(body: RunBody): RunCommand | undefined {
  const { command } = body;
  if (!command) return undefined;
  return {
    ...(command.resume !== undefined && { resume: command.resume }),
    ...(command.update && { update: command.update }),
    ...(command.goto && { goto: command.goto as NonNullable<RunCommand['goto']> }),
  };
}

function mergedConfig(body: RunBody, assistant: Assistant, thread: Thread, place: RunPlace): RunConfig {
  const base = { ...assistant.config, ...thread.config } as RunBodyConfig;
  const configurable: Record<string, unknown> = {
    ...(assistant.config['configurable'] as object | undefined),
    ...(thread.config['configurable'] as object | undefined),
    ...body.config?.configurable,
  };
  checkThread(body.config?.configurable ?? {}, place);
  for (const key of CHECKPOINT_KEYS) delete configurable[key];
  // Bodies with them are refused; assistants and crons that were stored before that may have some.
  for (const key of Object.keys(configurable)) if (key.startsWith(ENGINE_PREFIX)) delete configurable[key];
  const tags = body.config?.tags ?? base.tags;
  const recursionLimit = body.config?.recursion_limit ?? base.recursion_limit;
  return {
    ...(tags && { tags }),
    ...(recursionLimit && { recursion_limit: recursionLimit }),
    configurable: {
      ...configurable,
      thread_id: place.threadId,
      run_id: place.runId,
      assistant_id: assistant.assistantId,
      graph_id: assistant.graphId,
      ...(body.strict_resume && { [STRICT_RESUME]: true }),
    },
  };
}

function checkThread(configurable: Record<string, unknown>, place: RunPlace): void {
  const named = configurable['thread_id'];
  if (named !== undefined && named !== null && named !== place.threadId) {
    throw invalid(
      'config.configurable.thread_id',
      `${JSON.stringify(named)} is not the thread of the run, ${place.threadId}`,
    );
  }
}

/** Objects are merged key by key; of anything else the request's is taken. */
function mergedContext(base: unknown, own: unknown): { context?: unknown } {
  const context =
    isPlain(base) && (isPlain(own) || own === undefined || own === null) ? { ...base, ...own } : (own ?? base);
  return context === undefined || context === null ? {} : { context };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function streamModes(body: RunBody): StreamMode[] {
  const modes = body.stream_mode ?? [];
  const list = typeof modes === 'string' ? [modes] : modes;
  return list.length > 0 ? [...new Set(list)] : ['values'];
}

function invalid(field: string, message: string): ColloquyError {
  return new ColloquyError('invalid_argument', `${field}: ${message}`, { field });
}

/** A message for a run at work, as a run of its own with everything that the working run was asked with. */
export function buildInjectedRun(
  working: Run,
  runId: string,
  message: InjectedMessage,
  { userConfig }: Access,
): NewRun {
  const { threadId, assistantId, graphId, metadata, request } = working;
  const { config, context, streamModes, streamSubgraphs, streamVersion, interruptBefore, interruptAfter } = request;
  return {
    threadId,
    runId,
    assistantId,
    graphId,
    multitaskStrategy: 'enqueue',
    metadata,
    waitsForTurn: true,
    request: {
      input: { messages: [message] },
      // If the message becomes a run of its own, that run belongs to its sender, not to the owner of the run at work.
      config: { ...config, configurable: { ...config.configurable, ...userConfig, run_id: runId } },
      ...(context !== undefined && { context }),
      streamModes,
      streamSubgraphs,
      ...(streamVersion && { streamVersion }),
      ...(interruptBefore && { interruptBefore }),
      ...(interruptAfter && { interruptAfter }),
    },
  };
}
