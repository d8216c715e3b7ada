/**
 * The accepted runs a conversation remembers, with their idempotency keys. Bounded, because it is
 * carried in history: what is older is found by the unique index in the database.
 */
export class AdmittedRuns {
  /** Oldest first, as a Map keeps its entries. */
  private readonly keys: Map<string, string | undefined>;
  private readonly runs = new Map<string, string>();

  constructor(
    private readonly limit: number,
    entries: [runId: string, key?: string][] = [],
  ) {
    this.keys = new Map();
    for (const [runId, key] of entries) this.add(runId, key);
  }

  /** The run accepted before under this id or key. */
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
