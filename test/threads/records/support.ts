import { randomUUID } from 'node:crypto';
import { encodeFence, type Caller, type Fence } from '../../../protocol/index.js';
import type { NewRun, RunEnd, RunStart } from '../../../threads/index.js';

export function caller(tenant = 'acme'): Caller {
  return { tenant, principal: { kind: 'user', id: 'u1' }, onBehalfOf: [] };
}

export function newRun(threadId: string, overrides: Partial<NewRun> = {}): NewRun {
  return {
    threadId,
    runId: randomUUID(),
    assistantId: '39a68923-35d8-56bc-9761-3a809a9e6a7f',
    graphId: 'one',
    multitaskStrategy: 'enqueue',
    metadata: {},
    request: { input: { text: 'hi' }, config: {}, streamModes: ['values'], streamSubgraphs: false },
    ...overrides,
  };
}

/** Returns the fence of an attempt of step 1 of run 1. A later attempt has a higher fence. */
export function fenceOf(attempt: number): Fence {
  return encodeFence({ run: 1, step: 1, attempt });
}

export function runStart(afterSeq: number, attempt = 1): RunStart {
  return { afterSeq, fence: fenceOf(attempt) };
}

export function runEnd(runId: string, overrides: Partial<RunEnd> = {}): RunEnd {
  return { runId, fence: fenceOf(1), status: 'success', threadStatus: 'idle', interrupts: {}, ...overrides };
}

/**
 * Options of a thread store for tests that use only its records. The functions that would change
 * the state of a thread do nothing.
 */
export const NO_STATE = {
  removeState: async () => undefined,
  copyState: async () => undefined,
  pruneState: async () => undefined,
  thinState: async () => undefined,
};
