/**
 * State and decisions of a conversation: which runs are accepted, which run is next, which
 * questions are open. The state is plain data in memory, and this file does not use Temporal. If a
 * method refuses a request, it throws a `ColloquyError` with the code that the sender gets.
 */
import type { ThreadStatus } from '../protocol/index.js';
import { AdmittedRuns } from './admitted.js';
import { ANY_INTERRUPT, DEFAULT_STEP_OPTIONS } from './contract.js';
import type {
  CancelRuns,
  Cancelled,
  CarriedState,
  Closed,
  ConversationInput,
  ConversationView,
  CurrentRun,
  Cursor,
  EditedState,
  EndedRun,
  InjectMessage,
  Injected,
  MessageSignal,
  QueuedRun,
  ResumeConversation,
  Standing,
  Resumed,
  StepOutcome,
  SubmitRun,
  Submitted,
} from './contract.js';
import { DelayedRuns } from './delayed.js';
import { Injections } from './injections.js';
import { Limits } from './limits.js';
import { Notes } from './notes.js';
import { Questions } from './questions.js';

export class ConversationQueue {
  current?: CurrentRun;
  cursor?: Cursor;
  closed = false;
  turns: number;
  private ordinal: number;
  private hasTaken: boolean;
  private waiting: QueuedRun[];
  private readonly delayed: DelayedRuns;
  readonly injections: Injections;
  private readonly questions: Questions;
  private settledStatus: Exclude<ThreadStatus, 'busy'>;
  /** Assistant of the last run that has started. */
  lastAssistant?: string;
  private last?: EndedRun;
  readonly notes: Notes;
  private readonly admitted: AdmittedRuns;
  private readonly limits: Limits;

  constructor(
    private readonly input: ConversationInput,
    private readonly now: () => number = Date.now,
    /**
     * Start time of the workflow execution, in ms since the epoch. It is the same in every workflow
     * replay. Other times, such as that of the first workflow task, can differ between replays.
     */
    startedAt = now(),
  ) {
    const { carried, settings } = input;
    this.limits = new Limits(input);
    // Every workflow execution needs higher fences than the earlier executions of its thread. The
    // first part of a fence is an ordinal. An execution after a continue-as-new gets the last
    // ordinal in `carried`. Any other execution counts from its start time in seconds.
    this.ordinal = carried?.ordinal ?? Math.floor(startedAt / 1000);
    this.turns = carried?.turns ?? 0;
    this.hasTaken = carried !== undefined;
    this.waiting = carried?.queue ?? [];
    this.delayed = new DelayedRuns(carried?.delayed);
    this.injections = new Injections(carried?.injections);
    this.questions = new Questions(input.threadId, carried?.interrupts, carried?.edits);
    this.settledStatus = carried?.status ?? 'idle';
    this.notes = new Notes(now, carried?.notes);
    this.admitted = new AdmittedRuns(settings.keyWindow, carried?.admitted);
    if (carried?.current) this.current = carried.current;
    if (carried?.cursor) this.cursor = carried.cursor;
    if (carried?.assistantId) this.lastAssistant = carried.assistantId;
    if (carried?.last) this.last = carried.last;
  }

  // ---- requests of clients

  /** Returns the result of {@link submit}, or throws its errors, but changes nothing. */
  checkSubmit(request: SubmitRun): Submitted {
    const { runId, key, strategy } = request;
    this.checkOpen(runId);
    const before = this.admitted.find(runId, key);
    if (before !== undefined) return { runId: before, position: this.positionOf(before), duplicate: true };
    const replaces = strategy === 'interrupt' || strategy === 'rollback';
    const [ahead] = this.inFlight();
    if (strategy === 'reject' && ahead) {
      throw this.limits.refusal(
        'conflict',
        `is busy with run ${ahead.runId}; cannot accept run ${runId} with strategy reject`,
      );
    }
    const answer = replaces ? undefined : this.inFlight().find((run) => run.answers !== undefined);
    if (request.resumes && answer) {
      throw this.limits.refusal('conflict', `is being answered by run ${answer.runId}; cannot accept answer ${runId}`);
    }
    // A run with the strategy `interrupt` or `rollback` cancels all other runs. These count against
    // the limit of the queue until they have ended. So the limit is doubled for the new run, to
    // make room for it.
    if (this.isLater(request)) this.limits.checkOthers(this.delayed.all.length, 'delayed runs', runId);
    else this.checkRoom(runId, replaces ? 2 : 1);
    return { runId, position: replaces ? Number(this.current !== undefined) : this.alive().length, duplicate: false };
  }

  submit(request: SubmitRun): Submitted {
    const answer = this.checkSubmit(request);
    if (answer.duplicate) return answer;
    const { runId, graphId, assistantId, strategy, key, resumes, webhook } = request;
    if (strategy === 'interrupt' || strategy === 'rollback') this.cancel({ runIds: 'all', action: strategy });
    this.enqueueDue();
    const answers = resumes ? { answers: ANY_INTERRUPT } : {};
    const run = { runId, graphId, assistantId, ...answers, ...(webhook ? { webhook } : {}) };
    if (this.isLater(request)) this.delayed.add(run, Date.parse(request.notBefore));
    else this.waiting.push(run);
    this.admitted.add(runId, key);
    return answer;
  }

  /**
   * Adds the run of a `message` signal to the end of the queue. The run has no record in the
   * database yet. If a run with this idempotency key was accepted before, adds nothing and returns
   * that run.
   */
  message(message: MessageSignal, runId: string): Submitted {
    const { input, assistantId, key } = message;
    this.checkOpen(runId);
    const before = this.admitted.find(runId, key);
    if (before !== undefined) return { runId: before, position: this.positionOf(before), duplicate: true };
    this.checkRoom(runId);
    const position = this.alive().length;
    this.enqueueUnrecorded(runId, { input, ...(assistantId ? { assistantId } : {}), ...(key ? { key } : {}) });
    this.admitted.add(runId, key);
    return { runId, position, duplicate: false };
  }

  /**
   * Returns the id of the question that an answer belongs to. Throws the errors of {@link resume},
   * but changes nothing.
   */
  checkResume(answer: ResumeConversation): string {
    this.checkOpen('an answer');
    const interruptId = this.questions.choose(answer, this.alive());
    this.checkRoom(`an answer to interrupt ${interruptId}`);
    return interruptId;
  }

  resume(answer: ResumeConversation, runId: string): Resumed {
    const interruptId = this.checkResume(answer);
    this.enqueueUnrecorded(runId, { resume: { interruptId, value: answer.value } }, interruptId);
    return { runId };
  }

  /**
   * Marks the given runs as cancelled. If the current run is one of them, it ends when its activity
   * has stopped. A given run that waits or is delayed ends between two steps of the current run, or
   * at the latest when it is its turn in the queue.
   */
  cancel({ runIds, action }: CancelRuns): Cancelled {
    const queued = [...this.waiting, ...this.delayed.all];
    const known = this.current ? [this.current.run, ...queued] : queued;
    const chosen = known.filter((run) => runIds === 'all' || runIds.includes(run.runId));
    for (const run of chosen) if (run.cancelled !== 'rollback') run.cancelled = action;
    this.enqueueDue();
    return { runIds: chosen.map((run) => run.runId) };
  }

  close(): Closed {
    this.closed = true;
    return this.cancel({ runIds: 'all', action: 'interrupt' });
  }

  // ---- injected messages

  /** Returns the result of {@link inject}, or throws its errors, but changes nothing. */
  checkInject({ runId }: InjectMessage): Injected {
    this.checkOpen(`message ${runId}`);
    if (this.admitted.find(runId) !== undefined) return { duplicate: true };
    if (this.alive().length === 0) throw this.limits.refusal('conflict', `has no active run for message ${runId}`);
    this.limits.checkOthers(this.injections.ids.length, 'messages that no turn has taken', `message ${runId}`);
    return { duplicate: false };
  }

  inject(message: InjectMessage): Injected {
    const answer = this.checkInject(message);
    if (answer.duplicate) return answer;
    this.injections.add({ ...message });
    this.admitted.add(message.runId);
    return answer;
  }

  /**
   * Called after an edit of the thread's state has closed the questions `edit.closed`. They need no
   * answer any more, and get no default answer. For `counts`, see {@link Questions.closeLater}.
   */
  edited(edit: EditedState, counts = () => true): void {
    if (this.current) this.questions.closeLater(edit, counts);
    if (this.questions.close(edit.closed) && !this.current) this.settledStatus = edit.status;
  }

  // ---- deadlines of questions

  /**
   * Returns the milliseconds until the first default answer is due, or undefined if no open
   * question has a deadline.
   */
  untilDeadline(): number | undefined {
    return this.questions.untilDeadline(this.alive(), this.now());
  }

  /** Enqueues one run for each default answer that is due. */
  answerByDefault(newRunId: () => string): void {
    const due = this.questions.deadlines(this.alive()).filter(({ at }) => at <= this.now());
    for (const { question } of due) {
      this.questions.expire(question.id);
      const unrecorded = { resume: { interruptId: question.id }, byDeadline: true };
      this.enqueueUnrecorded(newRunId(), unrecorded, question.id);
    }
  }

  // ---- delayed runs

  /**
   * Due time of the first delayed run in ms since the epoch, or undefined if there is no delayed
   * run.
   */
  get nextDueAt(): number | undefined {
    return this.delayed.nextAt;
  }

  /**
   * Returns the milliseconds until a delayed run or a default answer is due, or undefined if there
   * is neither.
   */
  untilDue(): number | undefined {
    const waits = [this.untilDeadline() ?? Infinity, (this.delayed.nextAt ?? Infinity) - this.now()];
    const wait = Math.min(...waits);
    return wait === Infinity ? undefined : Math.max(1, wait);
  }

  // ---- methods for the class `Pump`, which executes the runs

  /** Whether there is a current run, a run waits, or a delayed run is due. */
  get hasWork(): boolean {
    return this.current !== undefined || this.waiting.length > 0 || (this.delayed.nextAt ?? Infinity) <= this.now();
  }

  /**
   * Whether the workflow can complete. It can if no run is left, and the conversation is either
   * closed, or stateless and has had its run.
   */
  get isOver(): boolean {
    const isDone = this.closed || (this.input.ephemeral === true && this.hasTaken);
    return isDone && !this.hasWork && this.delayed.nextAt === undefined;
  }

  /**
   * Whether the conversation is stateless, no run has become the current run yet, and no run is
   * delayed. Does not check whether a run waits.
   */
  get awaitsFirstRun(): boolean {
    return this.input.ephemeral === true && !this.hasTaken && this.delayed.nextAt === undefined;
  }

  /** Makes the first waiting run the current run. */
  take(): CurrentRun {
    this.enqueueDue();
    const run = this.waiting.shift();
    if (!run) throw new Error('no run waits');
    this.ordinal += 1;
    this.hasTaken = true;
    this.current = { run, ordinal: this.ordinal, step: 0, nodes: [], options: DEFAULT_STEP_OPTIONS };
    return this.current;
  }

  /**
   * Removes and returns the first waiting run that was cancelled. Returns undefined if there is
   * none.
   */
  takeCancelled(): QueuedRun | undefined {
    const index = this.waiting.findIndex((run) => run.cancelled !== undefined);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }

  /** Returns the waiting runs that have no record yet. */
  unrecorded(): QueuedRun[] {
    return this.waiting.filter((run) => run.unrecorded !== undefined);
  }

  /**
   * Applies the result of the activity `recordRun`, which creates the record of `run`. If a stored
   * run has the same idempotency key, the result is that stored run. Returns false if this
   * conversation has accepted the stored run already: then `run` is a duplicate. Otherwise `run`
   * gets the ids in the result.
   */
  recorded(
    run: QueuedRun,
    { runId, graphId, assistantId }: { runId: string; graphId: string; assistantId: string },
  ): boolean {
    if (runId !== run.runId) {
      const known = this.admitted.find(runId) !== undefined;
      this.admitted.forget(run.runId);
      this.admitted.add(runId, run.unrecorded?.key);
      if (known) return false;
    }
    Object.assign(run, { runId, graphId, assistantId });
    delete run.unrecorded;
    return true;
  }

  /** Removes a run that will not be executed. Its idempotency key can be used again. */
  drop(run: QueuedRun): void {
    this.admitted.forget(run.runId);
    if (this.current?.run === run) this.leave();
    this.waiting = this.waiting.filter((other) => other !== run);
  }

  /**
   * Marks the current run as started. Closes the questions that the run answers or abandons. Called
   * before the first step of the run.
   */
  begin(current: CurrentRun): void {
    current.questionsBefore = this.questions.all;
    this.questions.begin(current.run);
    this.turns += 1;
    this.lastAssistant = current.run.assistantId;
  }

  /**
   * Raises the ordinal of the current run. Called if another workflow execution of the thread has
   * written a higher fence. The ordinal is the first part of a fence, and a write with a lower
   * fence than an earlier write is refused. `above` is the ordinal of the higher fence, or 0 if
   * that ordinal is unknown.
   */
  raiseOrdinal(current: CurrentRun, above: number): void {
    this.ordinal = Math.max(this.ordinal, above, Math.floor(this.now() / 1000)) + 1;
    current.ordinal = this.ordinal;
    delete this.cursor;
  }

  /** Applies the result of a step. Returns whether another step of the run is due. */
  stepped(current: CurrentRun, outcome: StepOutcome): boolean {
    this.setCursor(outcome.cursor);
    current.nodes = outcome.next;
    current.options = outcome.nextOptions ?? current.options;
    this.injections.taken(outcome.injected);
    if (outcome.status === 'continue') return true;
    if (outcome.status === 'skipped') {
      this.restoreQuestions(current);
      this.leave();
      return false;
    }
    this.questions.ask(outcome.interrupts ?? []);
    this.settledStatus = this.questions.closeEdited() ?? (outcome.status === 'interrupted' ? 'interrupted' : 'idle');
    this.leave({ runId: current.run.runId, status: outcome.status });
    if (outcome.status === 'success' && !this.closed) this.waiting.unshift(...this.injections.shift());
    return false;
  }

  /**
   * Applies the result of the activity `endRun`. `standing` is the status, the cursor and the open
   * questions of the thread after the run. It is absent if `endRun` failed.
   */
  ended(run: QueuedRun, end: Omit<EndedRun, 'runId'>, standing?: Standing): void {
    this.setCursor(standing?.cursor);
    if (this.current?.run !== run) return;
    if (run.cancelled === 'rollback') this.injections.clear();
    if (standing !== undefined) this.questions.ask(standing.interrupts, this.current.questionsBefore);
    else if (run.cancelled === 'rollback') this.restoreQuestions(this.current);
    const idleStatus = this.questions.all.length > 0 ? 'interrupted' : 'idle';
    const fallback = end.status === 'error' ? 'error' : idleStatus;
    this.settledStatus = standing === undefined || standing.threadStatus === 'busy' ? fallback : standing.threadStatus;
    this.leave({ runId: run.runId, ...end });
  }

  // ---- views

  view(): ConversationView {
    const { current } = this;
    return {
      threadId: this.input.threadId,
      status: this.hasWork ? 'busy' : this.settledStatus,
      ...(current
        ? {
            current: {
              runId: current.run.runId,
              assistantId: current.run.assistantId,
              step: current.step,
              nodes: current.nodes,
            },
          }
        : {}),
      queue: this.waiting.map((run) => run.runId),
      ...(this.delayed.nextAt === undefined ? {} : { delayed: this.delayed.view() }),
      ...(this.injections.ids.length > 0 && { injected: this.injections.ids }),
      interrupts: this.questions.open(this.alive()),
      turns: this.turns,
      ...(this.last ? { last: this.last } : {}),
      closed: this.closed,
      notes: this.notes.entries,
    };
  }

  /** Returns the state that continue-as-new carries. Only valid between two runs or two steps. */
  carry(): CarriedState {
    return {
      ordinal: this.ordinal,
      turns: this.turns,
      ...(this.current ? { current: this.current } : {}),
      queue: this.waiting,
      ...(this.delayed.nextAt === undefined ? {} : { delayed: this.delayed.entries() }),
      ...(this.injections.ids.length > 0 && { injections: this.injections.entries() }),
      admitted: this.admitted.entries(),
      interrupts: this.questions.all,
      ...(this.questions.remembered.length > 0 && { edits: this.questions.remembered }),
      status: this.settledStatus,
      ...(this.cursor ? { cursor: this.cursor } : {}),
      ...(this.lastAssistant ? { assistantId: this.lastAssistant } : {}),
      ...(this.last ? { last: this.last } : {}),
      notes: this.notes.entries,
    };
  }

  // ---- helpers

  /** Returns the runs that are not cancelled and not delayed, the current one first. */
  private alive(): QueuedRun[] {
    const known = this.current ? [this.current.run, ...this.waiting] : this.waiting;
    return known.filter((run) => run.cancelled === undefined);
  }

  /** Returns the runs of {@link alive} and the delayed runs. */
  private inFlight(): QueuedRun[] {
    return [...this.alive(), ...this.delayed.all];
  }

  private isLater(request: SubmitRun): request is SubmitRun & { notBefore: string } {
    const { notBefore } = request;
    return notBefore !== undefined && Date.parse(notBefore) > this.now();
  }

  private enqueueDue(): void {
    this.waiting.push(...this.delayed.release(this.now()));
  }

  private positionOf(runId: string): number {
    const index = this.alive().findIndex((run) => run.runId === runId);
    return Math.max(index, 0);
  }

  private enqueueUnrecorded(runId: string, unrecorded: NonNullable<QueuedRun['unrecorded']>, answers?: string): void {
    const assistantId = unrecorded.assistantId ?? this.lastAssistant ?? '';
    this.enqueueDue();
    this.waiting.push({ runId, graphId: '', assistantId, unrecorded, ...(answers === undefined ? {} : { answers }) });
  }

  private checkOpen(subject: string): void {
    if (this.closed) throw this.limits.refusal('thread_closed', `is closed; cannot accept ${subject}`);
  }

  private checkRoom(subject: string, factor = 1): void {
    this.limits.checkRuns(this.waiting.length + Number(this.current !== undefined), subject, factor);
  }

  private restoreQuestions({ questionsBefore }: CurrentRun): void {
    if (questionsBefore) this.questions.reset(questionsBefore);
  }

  private setCursor(cursor?: Cursor): void {
    if (cursor) this.cursor = cursor;
    else delete this.cursor;
  }

  private leave(end?: EndedRun): void {
    delete this.current;
    if (end) this.last = end;
  }
}
