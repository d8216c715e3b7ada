import type { QueuedRun } from './contract.js';

/**
 * Injected messages that no turn has taken yet, first in, first out. Each has the id of a run
 * record, because a message that no turn takes becomes a run.
 */
export class Injections {
  constructor(private waiting: QueuedRun[] = []) {}

  get ids(): string[] {
    return this.waiting.map(({ runId }) => runId);
  }

  add(message: QueuedRun): void {
    this.waiting.push(message);
  }

  /** Removes messages that a step has taken. */
  taken(runIds: string[] = []): void {
    this.waiting = this.waiting.filter(({ runId }) => !runIds.includes(runId));
  }

  /**
   * Removes the first message and returns it, to be executed as a run. Returns an empty list if
   * there is no message.
   */
  shift(): QueuedRun[] {
    return this.waiting.splice(0, 1);
  }

  clear(): void {
    this.waiting = [];
  }

  entries(): QueuedRun[] {
    return this.waiting;
  }
}
