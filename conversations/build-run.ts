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
  /** Checks that the caller may see the thread and the assistant of the run. */
  access: Access;
  threadId: string;
  runId: string;
  body: RunBody;
  /** The idempotency key in the form that the client sent. */
  key?: string;
  /**
   * True for a stateless run: the run creates its thread, and the conversation ends after the run.
   */
  stateless?: boolean;
  /**
   * Set if protocol v2 started the run. The run then also records the events of LangGraph's stream
   * version `v3`, which protocol v2 needs.
   */
  streamVersion?: 'v3';
}

/** A chat message in the form that graphs accept. */
export interface InjectedMessage {
  role: 'user' | 'system';
  content: string;
  name?: string;
  id: string;
}

/** The ids that only the server may set in a run's `configurable`. */
interface RunIds {
  threadId: string;
  runId: string;
}

const STRICT_RESUME = '__pregel_strict_resume';
const CHECKPOINT_KEYS = ['checkpoint_id', 'checkpoint_ns', 'checkpoint_map'];

/**
 * Builds the record of a run. All code that starts runs calls it. Errors: `invalid_argument` if
 * fields contradict each other.
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
 * Builds the `RunRequest` of a run, which is the part of its record that a step reads. Its config
 * comes from the assistant, the thread and the body. Its context comes from the assistant and the
 * body. If several of them set the same field, the body wins over the thread, and the thread over
 * the assistant. Errors: `invalid_argument` if fields contradict each other.
 */
export function buildRequest(body: RunBody, assistant: Assistant, thread: Thread, ids: RunIds): RunRequest {
  const checkpoint = runCheckpoint(body, ids.threadId);
  const command = commandOf(body);
  const input = inputOf(body);
  if (command && input !== undefined && input !== null) {
    throw invalid('input', 'a run takes an input or a command, not both');
  }
  return {
    ...(input !== undefined && { input }),
    ...(command && { command }),
    config: mergedConfig(body, assistant, thread, ids),
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

/**
 * Returns the input of a body. An empty input beside a command counts as no input, because Agent
 * Chat UI sends one.
 */
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

/**
 * Converts a checkpoint that a client sent, and drops its empty fields. Returns undefined if all
 * fields are empty.
 */
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

/**
 * Returns the checkpoint that a body names in `checkpoint` or in `checkpoint_id`. Errors:
 * `invalid_argument` if the two fields name different checkpoints, or if the checkpoint is of
 * another thread.
 */
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
 * Returns the checkpoint that a run starts from. As in LangGraph, the body may also name this
 * checkpoint in `config.configurable`. Errors: those of {@link bodyCheckpoint}.
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

function mergedConfig(body: RunBody, assistant: Assistant, thread: Thread, ids: RunIds): RunConfig {
  const base = { ...assistant.config, ...thread.config } as RunBodyConfig;
  const configurable: Record<string, unknown> = {
    ...(assistant.config['configurable'] as object | undefined),
    ...(thread.config['configurable'] as object | undefined),
    ...body.config?.configurable,
  };
  checkThread(body.config?.configurable ?? {}, ids);
  for (const key of CHECKPOINT_KEYS) delete configurable[key];
  // A request with a key in `configurable` that begins with this prefix is refused. Assistants and
  // crons that were stored before this check existed may still have such keys, so remove them here.
  for (const key of Object.keys(configurable)) if (key.startsWith(ENGINE_PREFIX)) delete configurable[key];
  const tags = body.config?.tags ?? base.tags;
  const recursionLimit = body.config?.recursion_limit ?? base.recursion_limit;
  return {
    ...(tags && { tags }),
    ...(recursionLimit && { recursion_limit: recursionLimit }),
    configurable: {
      ...configurable,
      thread_id: ids.threadId,
      run_id: ids.runId,
      assistant_id: assistant.assistantId,
      graph_id: assistant.graphId,
      ...(body.strict_resume && { [STRICT_RESUME]: true }),
    },
  };
}

function checkThread(configurable: Record<string, unknown>, ids: RunIds): void {
  const named = configurable['thread_id'];
  if (named !== undefined && named !== null && named !== ids.threadId) {
    throw invalid(
      'config.configurable.thread_id',
      `${JSON.stringify(named)} is not the thread of the run, ${ids.threadId}`,
    );
  }
}

/**
 * Merges the context of the assistant (`base`) and of the request (`own`). Two objects are merged
 * key by key. Otherwise the context of the request, if it has one, replaces that of the assistant.
 */
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

/**
 * Builds the record of an injected message: a chat message that the active run (`working`) is to
 * take between two supersteps. The record has the form of a run, with the configuration of the
 * active run, because the message may become a run. If the active run succeeds before it has taken
 * all injected messages, the oldest remaining message is executed as a run.
 */
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
      // If the message becomes a run of its own, that run acts for the sender of the message, not
      // for the user of the active run.
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
