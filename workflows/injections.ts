import type { QueuedRun } from './contract.js';

/**
 * Injected messages that no run has taken yet, oldest first. Each message has a run record and the
 * id of this record, because a message that no run takes becomes a run itself.
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
   * Removes the oldest message and returns it, to be executed as a run. Returns an empty list if
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
