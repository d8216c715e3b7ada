/**
 * Runs one step of a graph: reads the state, writes events, and commits a checkpoint. Knows nothing
 * of Temporal or HTTP.
 */
export { createGraphDescriptions } from './descriptions.js';
export type { DescriptionDependencies } from './descriptions.js';
export { classifyFailure, describeError } from './failure.js';
export type { StepFailure } from './failure.js';
export { readField, wellFormed } from './thrown-value.js';
export { defaultAnswerOf } from './questions.js';
export { uncommittedRanges, writtenMessageIds } from './recovery.js';
export { createStateAccess, describeThread, readValues } from './state.js';
export { shortNames } from './short-names.js';
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
export { Turn } from './turn.js';
export { watchToolModule } from './watched-tools.js';
export { toWireText } from './wire.js';
