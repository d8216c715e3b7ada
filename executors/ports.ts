import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type { DeliveryStore } from '../egress/index.js';
import type { Caller, ErrorCode, RunError } from '../protocol/index.js';
import type { GraphSource, StepFailure } from '../steps/index.js';
import type { EventLog } from '../streams/index.js';
import type { HeadStore, InjectionStore, SaverStore, StateCache, ThreadStore } from '../threads/index.js';
import type { StepOutcome } from '../workflows/contract.js';

/** What an executor needs to run steps. The composition root of the executor makes it. */
export interface AttemptDependencies {
  threads: ThreadStore;
  heads: HeadStore;
  injections: InjectionStore;
  savers: SaverStore;
  events: EventLog;
  project: GraphSource;
  cache: StateCache;
  /** Webhook bodies that wait to be sent. */
  deliveries: Pick<DeliveryStore, 'put'>;
  /**
   * Creates the URL to which a client posts feedback on a run, for one feedback key. Absent without
   * LangSmith.
   */
  feedbackAddress?: (runId: string, key: string) => Promise<string>;
  /** Aborted when the executor ends. A running step then ends after its current superstep. */
  drain: AbortSignal;
  /**
   * Whether the workflow history contains previews of the questions that interrupts ask. Temporal's
   * Web UI shows these previews.
   */
  showsQuestions: boolean;
  /**
   * Opens LangGraph's long-term store on behalf of a caller. The graph of a run uses this store.
   */
  openStore?: (caller: Caller) => BaseStore;
  /** Time in ms that the nodes of a step get to return after the step was given up. */
  stopGraceMs: number;
  warn: (message: string) => void;
}

/** Why an attempt of a step has failed, as plain data. */
export interface AttemptFailure {
  kind: StepFailure['kind'];
  error: RunError;
  retryAfterMs?: number;
  /** Code of one of Colloquy's own errors. Absent for an error of a node. */
  code?: ErrorCode;
  stack?: string;
}

/** How an attempt of a step has ended. */
export interface AttemptResult {
  outcome?: StepOutcome;
  failure?: AttemptFailure;
  /** Whether the graph is paused in this process, so that the next step should run here too. */
  isPaused?: boolean;
  /**
   * True if code of the attempt may still be running: a node has not returned, or a tool was running
   * when the attempt was given up. Only the end of the process stops such code.
   */
  isStuck?: boolean;
}
