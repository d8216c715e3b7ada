import type { DelayedRun, QueuedRun } from './contract.js';

/**
 * Accepted runs that are not due yet, earliest due time first. A delayed run does not delay other
 * runs: it joins the end of the queue when it is due.
 */
export class DelayedRuns {
  constructor(private waiting: DelayedRun[] = []) {}

  get all(): QueuedRun[] {
    return this.waiting.map(({ run }) => run);
  }

  /** Earliest due time, in ms since the epoch, or undefined if there is no delayed run. */
  get nextAt(): number | undefined {
    return this.waiting[0]?.at;
  }

  add(run: QueuedRun, at: number): void {
    const index = this.waiting.findIndex((other) => other.at > at);
    this.waiting.splice(index < 0 ? this.waiting.length : index, 0, { run, at });
  }

  /**
   * Removes and returns the runs that are due or cancelled. A cancelled run is returned before it
   * is due, because it can be ended at once.
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
