import { clearTimeout, setTimeout } from 'node:timers';
import type { Turn } from '../steps/index.js';

/**
 * How long a paused graph is kept, in ms. The next step of its run normally comes after some
 * milliseconds. If it comes to another process, the graph is not needed here any more.
 */
export const KEPT_MS = 60_000;

interface Paused {
  turn: Turn;
  /** Number of the step that can continue the turn. */
  step: number;
  timer: NodeJS.Timeout;
}

/** The paused graphs of an executor, by the ids of their runs. */
export class PausedTurns {
  readonly #paused = new Map<string, Paused>();

  keep(runId: string, step: number, turn: Turn): void {
    const timer = setTimeout(() => void this.#drop(runId), KEPT_MS).unref();
    this.#paused.set(runId, { turn, step, timer });
  }

  has(runId: string): boolean {
    return this.#paused.has(runId);
  }

  /**
   * Returns the paused graph of a run if this is the step that continues it. A repeated attempt does
   * not continue it, because another process may have changed the state of the thread.
   */
  async take(runId: string, { step, attempt }: { step: number; attempt: number }): Promise<Turn | undefined> {
    const paused = this.#paused.get(runId);
    if (paused === undefined) return undefined;
    if (paused.step !== step || attempt > 1) {
      await this.#drop(runId);
      return undefined;
    }
    clearTimeout(paused.timer);
    this.#paused.delete(runId);
    return paused.turn;
  }

  async #drop(runId: string): Promise<void> {
    const paused = this.#paused.get(runId);
    if (paused === undefined) return;
    clearTimeout(paused.timer);
    this.#paused.delete(runId);
    await paused.turn.abandon();
  }
}
