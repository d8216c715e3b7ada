/**
 * Runs one step of a graph: state in, events and a committed checkpoint out. Knows nothing of
 * Temporal or HTTP.
 */
export { createGraphDescriptions } from './descriptions.js';
export type { DescriptionDependencies } from './descriptions.js';
export { classifyFailure, describeError } from './failure.js';
export type { StepFailure } from './failure.js';
export { defaultAnswerOf } from './progress.js';
export { supersededBy, writtenMessageIds } from './recovery.js';
export { runStep } from './run-step.js';
export { createStateAccess, describeThread, readValues } from './state.js';
export type {
  GraphDescriptions,
  GraphDrawing,
  GraphSchemas,
  GraphSource,
  JsonSchema,
  StateAccess,
  StepContext,
  StepReport,
  StateUpdate,
  StepRequest,
  ThreadState,
  ThreadTask,
  WireCheckpoint,
} from './ports.js';
export { toWireText } from './wire.js';
