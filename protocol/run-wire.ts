import { publicConfigurable } from './public-config.js';
import type { Run } from './run.js';

/**
 * Returns a run in the form of LangGraph's API, for clients and webhooks: field names in snake
 * case, times as ISO 8601.
 */
export function runToWire(run: Run): Record<string, unknown> {
  const { request } = run;
  return {
    run_id: run.runId,
    thread_id: run.threadId,
    assistant_id: run.assistantId,
    created_at: run.createdAt.toISOString(),
    updated_at: run.updatedAt.toISOString(),
    status: run.status,
    metadata: run.metadata,
    kwargs: {
      input: request.input ?? null,
      command: request.command ?? null,
      config: publicConfig(request.config),
      context: request.context ?? null,
      stream_mode: request.streamModes,
      stream_subgraphs: request.streamSubgraphs,
      interrupt_before: request.interruptBefore ?? null,
      interrupt_after: request.interruptAfter ?? null,
      webhook: request.webhook ?? null,
      after_seconds: request.afterSeconds ?? null,
    },
    multitask_strategy: run.multitaskStrategy,
    error: run.error ?? null,
    ...(run.cancelReason !== undefined && { cancel_reason: run.cancelReason }),
  };
}

function publicConfig(config: Run['request']['config']): Run['request']['config'] {
  const { configurable } = config;
  return configurable === undefined ? config : { ...config, configurable: publicConfigurable(configurable) };
}
