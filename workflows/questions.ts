import { ColloquyError } from '../protocol/index.js';
import { ANY_INTERRUPT } from './contract.js';
import type { EditedState, PendingInterrupt, QueuedRun, ResumeConversation } from './contract.js';

/**
 * The open questions of a conversation, which its interrupts ask. If a run names the question that
 * it answers, only this question is removed when the run starts. Any other run abandons the
 * questions: all of them are removed when it starts. This applies to a run with new input, which
 * answers no question. It also applies to a run with {@link ANY_INTERRUPT}, because only its stored
 * request names the questions that it answers. In all methods, `ahead` contains the current run and
 * then the waiting runs, without cancelled runs.
 */
export class Questions {
  private readonly edits: { edit: EditedState; counts: () => boolean }[];

  constructor(
    private readonly threadId: string,
    private asked: PendingInterrupt[] = [],
    edits: EditedState[] = [],
  ) {
    // Only code that counts these edits carries them.
    this.edits = edits.map((edit) => ({ edit, counts: () => true }));
  }

  /** All questions, including those for which an answer waits in the queue. */
  get all(): PendingInterrupt[] {
    return this.asked;
  }

  /** Returns the questions that no run in `ahead` answers. */
  open(ahead: QueuedRun[]): PendingInterrupt[] {
    const answered = ahead.map((run) => run.answers);
    return answered.includes(ANY_INTERRUPT) ? [] : this.asked.filter((question) => !answered.includes(question.id));
  }

  /** Returns the id of the open question that an answer belongs to. Errors: `conflict`. */
  choose({ interruptId }: ResumeConversation, ahead: QueuedRun[]): string {
    const obstacle = ahead.find(abandons);
    if (obstacle) throw this.conflict(`has run ${obstacle.runId} before the answer${of(interruptId)}`);
    const ids = this.open(ahead).map((question) => question.id);
    if (interruptId !== undefined) {
      if (ids.includes(interruptId)) return interruptId;
      const by = ahead.find((run) => run.answers === interruptId);
      if (by) throw this.conflict(`has an answer to interrupt ${interruptId} already: run ${by.runId}`);
      throw this.conflict(`does not wait for interrupt ${interruptId}; open: ${ids.join(', ') || 'none'}`);
    }
    const [only, ...others] = ids;
    if (only === undefined) throw this.conflict('has no open question; there is nothing to answer');
    if (others.length > 0) {
      throw this.conflict(`has ${ids.length} open questions; name one as interruptId: ${ids.join(', ')}`);
    }
    return only;
  }

  /**
   * Removes the question that a starting run answers. Removes all questions if the run abandons
   * them.
   */
  begin(run: QueuedRun): void {
    this.asked = abandons(run) ? [] : this.asked.filter((question) => question.id !== run.answers);
  }

  /**
   * Replaces the questions by those that the graph asks now. A question that is also in `earlier`
   * keeps its old deadline, because an answer to another question must not extend it.
   */
  ask(interrupts: PendingInterrupt[], earlier: PendingInterrupt[] = this.asked): void {
    const before = new Map(earlier.map((question) => [question.id, question]));
    this.asked = interrupts.map((question) => before.get(question.id) ?? question);
  }

  /**
   * Removes the deadline of a question, so that the question's default answer is given only once.
   */
  expire(interruptId: string): void {
    this.asked = this.asked.map(({ deadline, ...question }) =>
      question.id === interruptId || deadline === undefined ? question : { ...question, deadline },
    );
  }

  /** Removes the questions with these ids. Returns whether one of them was there. */
  close(interruptIds: string[]): boolean {
    const had = this.has(interruptIds);
    this.asked = this.asked.filter(({ id }) => !interruptIds.includes(id));
    return had;
  }

  /**
   * Remembers that an edit of the thread's state closed some questions, until {@link closeEdited}
   * is called. This is necessary because the signal of the edit may arrive before the result of the
   * step that asked these questions. Older workflow code ignored such edits. In a workflow replay
   * of a history from that code, `counts` returns false, and the edit is ignored again.
   */
  closeLater(edit: EditedState, counts: () => boolean): void {
    this.edits.push({ edit, counts });
  }

  /**
   * Removes the questions that were closed by the remembered edits. Called after a step has asked
   * its questions. Returns the thread's status after the last edit that closed a question, or
   * undefined if no edit closed one.
   */
  closeEdited(): EditedState['status'] | undefined {
    const closing = this.edits.splice(0).filter(({ edit, counts }) => this.has(edit.closed) && counts());
    for (const { edit } of closing) this.close(edit.closed);
    return closing.at(-1)?.edit.status;
  }

  /** The remembered edits, oldest first. */
  get remembered(): EditedState[] {
    return this.edits.map(({ edit }) => edit);
  }

  private has(interruptIds: string[]): boolean {
    return this.asked.some(({ id }) => interruptIds.includes(id));
  }

  reset(questions: PendingInterrupt[]): void {
    this.asked = questions;
  }

  /**
   * Returns the milliseconds until the first default answer is due. Returns undefined if
   * {@link deadlines} returns no question.
   */
  untilDeadline(ahead: QueuedRun[], now: number): number | undefined {
    const deadlines = this.deadlines(ahead).map(({ at }) => at);
    return deadlines.length === 0 ? undefined : Math.max(1, Math.min(...deadlines) - now);
  }

  /**
   * Returns the open questions that have a deadline, each with its deadline in ms since the epoch.
   * Returns an empty list if a run in `ahead` abandons the questions.
   */
  deadlines(ahead: QueuedRun[]): { question: PendingInterrupt; at: number }[] {
    if (ahead.some(abandons)) return [];
    return this.open(ahead)
      .map((question) => ({ question, at: Date.parse(question.deadline ?? '') }))
      .filter(({ at }) => !Number.isNaN(at));
  }

  private conflict(text: string): ColloquyError {
    return new ColloquyError('conflict', `thread ${this.threadId} ${text}`);
  }
}

function abandons(run: QueuedRun): boolean {
  return run.answers === undefined || run.answers === ANY_INTERRUPT;
}

function of(interruptId: string | undefined): string {
  return interruptId === undefined ? '' : ` to interrupt ${interruptId}`;
}
