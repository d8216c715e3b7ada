/**
 * The parts of a fence. A fence identifies the attempt that writes a thread. The thread's head
 * stores the highest fence so far, and a write with a lower fence is refused. Fences are strings
 * that sort by run, then by step, then by attempt. The number of the attempt alone is not enough,
 * because attempt 2 of an old run must lose to attempt 1 of a new run.
 */
export interface FenceParts {
  /**
   * Ordinal of the run. A later run of the thread has a higher ordinal. The conversation workflow
   * assigns the ordinals. A new workflow counts up from its start time (seconds since 1970). After
   * continue-as-new, the workflow counts on from the last ordinal.
   */
  run: number;
  /** Number of the activity (`runStep` or `endRun`) in the run, from 1. */
  step: number;
  /** Number of the activity's attempt, from 1. */
  attempt: number;
}

export type Fence = string & { readonly __fence: unique symbol };

const WIDTHS = { run: 10, step: 7, attempt: 5 } as const;

/** The fence if no writer is known. It is lower than every fence of a run. */
export const NO_FENCE = encodeFence({ run: 0, step: 0, attempt: 0 });

/**
 * Encodes a fence, for example `0000000007.0000002.00001`. The parts have a fixed width, so the
 * order of the strings (also in MongoDB) is the order of the fences.
 */
export function encodeFence(parts: FenceParts): Fence {
  return (['run', 'step', 'attempt'] as const)
    .map((part) => {
      const value = parts[part];
      const text = String(value);
      if (!Number.isSafeInteger(value) || value < 0 || text.length > WIDTHS[part]) {
        throw new RangeError(`fence part ${part} is ${text}; expected an integer of at most ${WIDTHS[part]} digits`);
      }
      return text.padStart(WIDTHS[part], '0');
    })
    .join('.') as Fence;
}

/** Returns the parts of an encoded fence. */
export function decodeFence(fence: Fence): FenceParts {
  const [run, step, attempt] = fence.split('.').map(Number);
  return { run: run ?? 0, step: step ?? 0, attempt: attempt ?? 0 };
}
