import type { DelayedRun, QueuedRun } from './contract.js';

/**
 * Accepted runs whose time has not come, first to last. They hold nobody up: each joins the queue
 * when it is due, behind what waits then.
 */
export class DelayedRuns {
  constructor(private waiting: DelayedRun[] = []) {}

  get all(): QueuedRun[] {
    return this.waiting.map(({ run }) => run);
  }

  /** When the first is due, in ms since the epoch. */
  get nextAt(): number | undefined {
    return this.waiting[0]?.at;
  }

  add(run: QueuedRun, at: number): void {
    const index = this.waiting.findIndex((other) => other.at > at);
    this.waiting.splice(index < 0 ? this.waiting.length : index, 0, { run, at });
  }

  /**
   * Takes out those that are due, or cancelled: what is left of a cancelled run is to end it, which
   * need not wait.
   */
  release(now: number): QueuedRun[] {
    const released = this.waiting.filter(({ run, at }) => at <= now || run.cancelled !== undefined);
    this.waiting = this.waiting.filter((one) => !released.includes(one));
    return released.map(({ run }) => run);
  }

  entries(): DelayedRun[] {
    return this.waiting;
  }

  view(): { runId: string; at: string }[] {
    return this.waiting.map(({ run, at }) => ({ runId: run.runId, at: new Date(at).toISOString() }));
  }
}
