/** Records of assistants, threads, runs and their state: head, fence, checkpoint saver. Knows no HTTP, no Temporal, no graph. */
export type {
  AssistantQuery,
  AssistantStore,
  HeadStore,
  NewRun,
  NewThread,
  RunEnd,
  RunQuery,
  ThreadQuery,
  ThreadStore,
} from './ports.js';
