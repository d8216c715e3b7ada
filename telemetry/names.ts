/** Keys of the span attributes that may be exported. All other attributes of a span are removed. */
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
  // Temporal's interceptors set the following attributes.
  workflowId: 'temporalWorkflowId',
  activityId: 'temporalActivityId',
  updateId: 'temporalUpdateId',
  workflowRunId: 'run_id',
} as const;
