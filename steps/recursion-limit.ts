import type { LoadedGraph } from '../agents/index.js';
import type { Head } from '../protocol/index.js';
import type { StepRequest } from './ports.js';
import { readField } from './thrown-value.js';

const DEFAULT_LIMIT = 25;

/** The recursion limit of a run: how many supersteps it may execute, in all its steps. */
export class RecursionLimit {
  /** The limit of the whole run. */
  readonly full: number;
  readonly #asked: number | undefined;
  readonly #ordinal: number;

  constructor(graph: LoadedGraph, { run, ordinal }: StepRequest) {
    const own = (graph.config as { recursionLimit?: number } | undefined)?.recursionLimit;
    this.#asked = run.request.config.recursion_limit;
    this.full = this.#asked ?? own ?? DEFAULT_LIMIT;
    this.#ordinal = ordinal;
  }

  /**
   * Returns how many supersteps the run may still execute. Returns undefined if the run sets no
   * limit and has executed no superstep; then the graph's default applies.
   */
  left({ heads }: Head): number | undefined {
    const root = heads[''];
    const used = root?.run === this.#ordinal ? root.step - root.base : 0;
    return used === 0 ? this.#asked : this.full - used;
  }

  /**
   * Returns whether LangGraph would refuse to continue the run from its checkpoint, because less
   * than one superstep is left.
   */
  isReached(head: Head): boolean {
    const left = this.left(head);
    return left !== undefined && left < 1;
  }

  /** Makes the error of a reached limit name the limit of the whole run, not what a pass had left. */
  describe(error: unknown): unknown {
    const message = readField(error, 'message');
    if (readField(error, 'name') !== 'GraphRecursionError' || typeof message !== 'string') return error;
    const whole = message.replace(/limit of \d+ reached/, `limit of ${this.full} reached`);
    if (!Object.isFrozen(error)) (error as { message: string }).message = whole;
    return error;
  }
}
