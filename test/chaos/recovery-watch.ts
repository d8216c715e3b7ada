/**
 * Measures how long the conversations need to recover from each fault. The measurement starts when
 * the fault ends. It stops when every conversation that was active at that moment has made progress
 * or has ended. `times` has these durations, in ms. A fault that ends while no conversation is
 * active is not measured.
 */
export class RecoveryWatch {
  readonly #waiting = new Set<string>();
  readonly #watches = new Set<{ since: number; missing: Set<string> }>();
  readonly times: number[] = [];

  began(conversation: string): void {
    this.#waiting.add(conversation);
  }

  ended(conversation: string): void {
    this.#waiting.delete(conversation);
    this.progress(conversation);
  }

  /**
   * Records that a conversation has made progress: a message was accepted, an event arrived, or a
   * run ended.
   */
  progress(conversation: string): void {
    for (const watch of this.#watches) {
      watch.missing.delete(conversation);
      if (watch.missing.size > 0) continue;
      this.#watches.delete(watch);
      this.times.push(Date.now() - watch.since);
    }
  }

  faultEnded(): void {
    if (this.#waiting.size > 0) this.#watches.add({ since: Date.now(), missing: new Set(this.#waiting) });
  }
}

export function percentile(times: readonly number[], share: number): number | null {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}
