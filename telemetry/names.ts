/** Attribute keys that may be exported. Other attributes of a span are dropped. */
export const ATTRIBUTES = {
  tenant: 'colloquy.tenant',
  thread: 'colloquy.thread_id',
  run: 'colloquy.run_id',
  graph: 'colloquy.graph_id',
  step: 'colloquy.step',
  attempt: 'colloquy.attempt',
  nodes: 'colloquy.nodes',
  outcome: 'colloquy.outcome',
  code: 'colloquy.error_code',
  // Set by Temporal's interceptors.
  workflowId: 'temporalWorkflowId',
  activityId: 'temporalActivityId',
  updateId: 'temporalUpdateId',
  workflowRunId: 'run_id',
} as const;
