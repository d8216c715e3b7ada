import { ColloquyError } from '../protocol/index.js';
import { ANY_INTERRUPT } from './contract.js';
import type { EditedState, PendingInterrupt, QueuedRun, ResumeConversation } from './contract.js';

/**
 * The questions a conversation has asked and what is still open of them. `ahead` is always the runs
 * that come before whatever is decided now, the current one first: one that is no answer abandons
 * every question when it begins.
 */
export class Questions {
  private readonly edits: { edit: EditedState; counts: () => boolean }[] = [];

  constructor(
    private readonly threadId: string,
    private asked: PendingInterrupt[] = [],
  ) {}

  /** All of them, also those whose answer waits. */
  get all(): PendingInterrupt[] {
    return this.asked;
  }

  /** Those that no run ahead answers. */
  open(ahead: QueuedRun[]): PendingInterrupt[] {
    const answered = ahead.map((run) => run.answers);
    return answered.includes(ANY_INTERRUPT) ? [] : this.asked.filter((question) => !answered.includes(question.id));
  }

  /** Id of the question that an answer is for. Errors: `conflict`. */
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
   * A run begins: the question it answers is answered, and if it answers none in particular, all
   * are gone.
   */
  begin(run: QueuedRun): void {
    this.asked = abandons(run) ? [] : this.asked.filter((question) => question.id !== run.answers);
  }

  /**
   * The graph asks. A question that was asked `earlier` keeps its deadline: answering another one
   * must not prolong it.
   */
  ask(interrupts: PendingInterrupt[], earlier: PendingInterrupt[] = this.asked): void {
    const before = new Map(earlier.map((question) => [question.id, question]));
    this.asked = interrupts.map((question) => before.get(question.id) ?? question);
  }

  /** The default answer is given: whatever becomes of it, it is not given again. */
  expire(interruptId: string): void {
    this.asked = this.asked.map(({ deadline, ...question }) =>
      question.id === interruptId || deadline === undefined ? question : { ...question, deadline },
    );
  }

  /** These are not asked any more; true when one of them was. */
  close(interruptIds: string[]): boolean {
    const had = this.has(interruptIds);
    this.asked = this.asked.filter(({ id }) => !interruptIds.includes(id));
    return had;
  }

  /**
   * An edit of the state may be heard of before the step that asked what it closes. `counts` is
   * asked where it was: a history from before this was heeded must not heed it in its replay.
   */
  closeLater(edit: EditedState, counts: () => boolean): void {
    this.edits.push({ edit, counts });
  }

  /**
   * Closes what such edits did, now that it is asked. Answers the status they left, if they closed
   * something.
   */
  closeEdited(): EditedState['status'] | undefined {
    const closing = this.edits.splice(0).filter(({ edit, counts }) => this.has(edit.closed) && counts());
    for (const { edit } of closing) this.close(edit.closed);
    return closing.at(-1)?.edit.status;
  }

  private has(interruptIds: string[]): boolean {
    return this.asked.some(({ id }) => interruptIds.includes(id));
  }

  reset(questions: PendingInterrupt[]): void {
    this.asked = questions;
  }

  /** Milliseconds until the first default answer is due; undefined when nobody waits for one. */
  untilDeadline(ahead: QueuedRun[], now: number): number | undefined {
    const deadlines = this.deadlines(ahead).map(({ at }) => at);
    return deadlines.length === 0 ? undefined : Math.max(1, Math.min(...deadlines) - now);
  }

  /** Open questions with a default answer, and when it is given (ms since the epoch). */
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
