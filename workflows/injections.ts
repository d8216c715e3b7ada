import type { QueuedRun } from './contract.js';

/**
 * Injected messages that no run has taken yet, oldest first. Each message is stored as a run
 * record, because it becomes a run itself if no run takes it.
 */
export class Injections {
  constructor(private waiting: QueuedRun[] = []) {}

  get ids(): string[] {
    return this.waiting.map(({ runId }) => runId);
  }

  add(message: QueuedRun): void {
    this.waiting.push(message);
  }

  /** Removes the messages that a step has taken. */
  taken(runIds: string[] = []): void {
    this.waiting = this.waiting.filter(({ runId }) => !runIds.includes(runId));
  }

  /**
   * Removes the oldest message, and returns it in a list, to be executed as a run. The list is
   * empty if there is no message.
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
