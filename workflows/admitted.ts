/**
 * The most recently accepted runs of a conversation, with their idempotency keys. Their number is
 * limited, because continue-as-new carries them to the next execution. Duplicates of older runs are
 * detected by the unique index of the run records in the database.
 */
export class AdmittedRuns {
  /** Idempotency key by run id, oldest run first: a Map keeps the order of insertion. */
  private readonly keys: Map<string, string | undefined>;
  /** Run id by idempotency key. */
  private readonly runs = new Map<string, string>();

  constructor(
    private readonly limit: number,
    entries: [runId: string, key?: string][] = [],
  ) {
    this.keys = new Map();
    for (const [runId, key] of entries) this.add(runId, key);
  }

  /**
   * Returns the id of the accepted run that has this id or this idempotency key. Returns undefined
   * if there is none.
   */
  find(runId: string, key?: string): string | undefined {
    if (this.keys.has(runId)) return runId;
    return key === undefined ? undefined : this.runs.get(key);
  }

  add(runId: string, key?: string): void {
    this.keys.set(runId, key);
    if (key !== undefined) this.runs.set(key, runId);
    for (const oldest of this.keys.keys()) {
      if (this.keys.size <= this.limit) break;
      this.forget(oldest);
    }
  }

  forget(runId: string): void {
    const key = this.keys.get(runId);
    this.keys.delete(runId);
    if (key !== undefined && this.runs.get(key) === runId) this.runs.delete(key);
  }

  entries(): [runId: string, key?: string][] {
    return [...this.keys].map(([runId, key]) => (key === undefined ? [runId] : [runId, key]));
  }
}
