import type { QueuedRun } from './contract.js';

/**
 * Messages for turns at work that no turn has taken yet, first in, first out. Each is named by its
 * record, which is one of a run: what no turn takes becomes a turn itself.
 */
export class Injections {
  constructor(private waiting: QueuedRun[] = []) {}

  get ids(): string[] {
    return this.waiting.map(({ runId }) => runId);
  }

  add(message: QueuedRun): void {
    this.waiting.push(message);
  }

  /** These are in the thread's state. */
  taken(runIds: string[] = []): void {
    this.waiting = this.waiting.filter(({ runId }) => !runIds.includes(runId));
  }

  /** The first as the run that its record is. */
  shift(): QueuedRun[] {
    return this.waiting.splice(0, 1);
  }

  /** Takes all of them away. */
  clear(): void {
    this.waiting = [];
  }

  entries(): QueuedRun[] {
    return this.waiting;
  }
}
