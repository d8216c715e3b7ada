import { TENANT_KEY } from '../agents/index.js';
import { STATELESS_METADATA, type Run } from '../protocol/index.js';
import { toCommand } from './command.js';
import { V3_MODES } from './narrator.js';
import type { StepRequest } from './ports.js';

/**
 * Stream modes that every step requests from LangGraph, because `StepProgress` finds out from them
 * which nodes are running and due.
 */
const OWN_MODES = ['tasks', 'checkpoints', 'values'] as const;
/**
 * The modes that replace `OWN_MODES` if the run has `streamVersion: 'v3'`. Clients of such a run
 * get only an envelope of each checkpoint: its id, parent id, step and source. But `StepProgress`
 * needs the whole checkpoints. With the mode `debug`, LangGraph streams the envelopes and the whole
 * checkpoints. With the mode `checkpoints`, it would stream whole checkpoints and no envelopes.
 */
const OWN_V3_MODES = ['tasks', 'debug', 'values'] as const;

/** Returns what the graph of a run gets at the start: its input, or a command. */
export function inputOf(run: Run): unknown {
  const { command, input } = run.request;
  return command === undefined ? (input ?? null) : toCommand(command);
}

export function isV3(run: Run): boolean {
  return run.request.streamVersion === 'v3';
}

/** Returns the stream modes that a step requests from LangGraph. */
export function modesOf(run: Run): string[] {
  if (!isV3(run)) return [...new Set([...OWN_MODES, ...libraryModes(run.request.streamModes)])];
  return [...new Set([...OWN_V3_MODES, ...libraryModes(V3_MODES).filter((mode) => mode !== 'checkpoints')])];
}

/** Returns whether LangGraph must stream the run by `streamEvents`. */
export function needsEvents(run: Run): boolean {
  return !isV3(run) && run.request.streamModes.some((mode) => mode === 'events' || mode === 'messages');
}

/**
 * Returns the config of the graph, without what only the step knows: saver, signal, recursion
 * limit. `begun`: the run has a checkpoint already, so the graph continues from there.
 */
export function configOf({ run, attempt }: StepRequest, begun: boolean) {
  const { config, context, checkpoint, interruptBefore, interruptAfter } = run.request;
  const from = begun ? undefined : checkpoint;
  return {
    ...(config.tags !== undefined && { tags: config.tags }),
    ...(context !== undefined && { context }),
    ...(interruptBefore !== undefined && { interruptBefore }),
    ...(interruptAfter !== undefined && { interruptAfter }),
    runId: run.runId,
    metadata: { ...withoutServerKeys(run.metadata), run_id: run.runId, run_attempt: attempt },
    configurable: {
      ...publicKeys(config.configurable),
      [TENANT_KEY]: run.tenant,
      thread_id: run.threadId,
      run_id: run.runId,
      graph_id: run.graphId,
      assistant_id: run.assistantId,
      checkpoint_ns: from?.checkpointNs ?? '',
      ...(from?.checkpointId !== undefined && { checkpoint_id: from.checkpointId }),
      ...(from?.checkpointMap !== undefined && { checkpoint_map: from.checkpointMap }),
    },
  };
}

/**
 * Returns `configurable` without the keys that start with two underscores. These keys belong to the
 * platform and to LangGraph, so clients cannot set them.
 */
function publicKeys(configurable: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(configurable).filter(([key]) => !key.startsWith('__')));
}

/**
 * Returns the metadata of a run without the mark of stateless runs. A `RemoteGraph` sends metadata
 * to its server, and Colloquy's API refuses the mark.
 */
function withoutServerKeys(metadata: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !Object.hasOwn(STATELESS_METADATA, key)));
}

function libraryModes(modes: readonly string[]): string[] {
  return modes
    .filter((mode) => mode !== 'events')
    .map((mode) => (mode === 'messages-tuple' ? 'messages' : mode === 'messages' ? 'values' : mode));
}
