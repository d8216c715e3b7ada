/**
 * Step scripts for tests of the workflow. A step script is a function that returns the outcome of a
 * step. In these tests the activity `runStep` calls a step script and returns its result. It does
 * not execute a step of a graph.
 */
import { Context } from '@temporalio/activity';
import { NO_FENCE } from '../../protocol/index.js';
import type { Cursor, PendingInterrupt, StepOutcome, StepTask } from '../../workflows/contract.js';

export type StepScript = (task: StepTask) => StepOutcome | Promise<StepOutcome>;

export function cursorAt(tail: number): Cursor {
  return { head: { rev: tail, fence: NO_FENCE, heads: {} }, tail };
}

export function done(task: StepTask): StepOutcome {
  return { status: 'success', nodes: ['answer'], next: [], cursor: cursorAt(task.step) };
}

export function goOn(task: StepTask, next: string[] = ['answer']): StepOutcome {
  return { status: 'continue', nodes: ['think'], next, cursor: cursorAt(task.step) };
}

export function asks(...interrupts: (Partial<PendingInterrupt> & { id: string })[]): StepOutcome {
  return {
    status: 'interrupted',
    nodes: ['approve'],
    next: ['approve'],
    interrupts: interrupts.map((interrupt) => ({ node: 'approve', ...interrupt })),
    cursor: cursorAt(1),
  };
}

/**
 * Returns a step script that runs until the test calls `open` or the activity is cancelled.
 * `opened` resolves when the test calls `open`.
 */
export function gate(): { open: () => void; opened: Promise<void>; step: StepScript } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolveGate) => (open = resolveGate));
  return {
    open,
    opened,
    async step(task) {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 50);
      try {
        await Promise.race([opened, context.cancelled]);
      } finally {
        clearInterval(beat);
      }
      return done(task);
    },
  };
}
