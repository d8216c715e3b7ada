/** A guarantee that was not kept. */
export interface Violation {
  kind: string;
  conversation: string;
  threadId: string;
  runId?: string;
  detail: string;
}
