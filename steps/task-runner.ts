/** A task of LangGraph, as far as this room reads and changes it. */
export interface Task {
  name: unknown;
  retry_policy?: unknown;
  cache_key?: unknown;
  writes: [channel: string, value: unknown][];
}

/** LangGraph's runner of the tasks of a superstep, as far as this room reads and replaces it. */
export interface TaskRunner {
  /** Errors that a node's error handler gets. They do not end the superstep. */
  handledExceptions?: WeakSet<object>;
  /** Called with each task that has ended, and with the error with which it has ended. */
  _commit: (this: TaskRunner, task: Task, error?: unknown) => void;
}
