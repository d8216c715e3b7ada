/** What the zoo knows about one misbehaving graph, and what must come of it. */

/** Settings of the worker with which the animals are described: small, so that the tests are short. */
export const ZOO_LIMITS = { COLLOQUY_EXECUTOR_MEMORY_MB: '256', COLLOQUY_STOP_GRACE_MS: '1000' };

export type Status = 'success' | 'error' | 'interrupted';

/** How often a node must have been executed. */
export type Bound = number | { atMost: number };

/** How a run ends, as a client sees it. */
export interface Outcome {
  status: Status;
  /** The name of the error, and its message. */
  error?: string;
  message?: string;
  /** The values of the thread after the last turn. */
  output?: Record<string, unknown>;
}

export interface Expected {
  /** Several: which of them is left open. No other run may be hurt in either case. */
  status: Status | readonly Status[];
  error?: string;
  message?: string | RegExp;
  output?: Record<string, unknown>;
}

export interface Animal {
  name: string;
  graph: string;
  /** One for each turn of the conversation. The outcome is that of the last turn. */
  inputs: readonly object[];
  recursionLimit?: number;
  /** What the client does after the node has started. Default: it waits. */
  meanwhile?: 'cancel';
  expected: Expected;
  /** Executions by node, over all turns. A node that is not named must not be executed. */
  executions: Record<string, Bound>;
  /** What has become of the processes that recorded ticks, when the run has ended. */
  processes?: 'killed' | 'kept';
  /** Whether the worker's log must contain the id of the run. */
  isBlamed?: boolean;
  /**
   * How LangGraph's own server relates to `expected`: it does the `same`, or the text says what it
   * does instead. Absent: it is not compared, because the animal could end it.
   */
  reference?: 'same' | { differs: string };
  /** The reason for the expected outcome. */
  why: string;
}
