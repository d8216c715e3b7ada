/**
 * State and decisions of a conversation: what is accepted, what runs next, which questions are
 * open. Plain data in memory; knows nothing of Temporal. Refusals are errors of ours with the code
 * that the sender gets.
 */
import type { ThreadStatus } from '../protocol/index.js';
import { AdmittedRuns } from './admitted.js';
import { ANY_INTERRUPT } from './contract.js';
import type {
  CancelRuns,
  Cancelled,
  CarriedState,
  Closed,
  ConversationInput,
  ConversationView,
  Cursor,
  EditedState,
  EndedRun,
  InjectMessage,
  Injected,
  MessageSignal,
  PendingInterrupt,
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

/** The run that is being worked on. */
export interface CurrentRun {
  run: QueuedRun;
  ordinal: number;
  /** Ordinal of its last activity that has a fence. */
  step: number;
  /** Nodes the last step named as next. */
  nodes: string[];
  /** Questions that were open before it began: a run that is undone opens them again. */
  questionsBefore?: PendingInterrupt[];
}

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
  /** Assistant of the last run begun. */
  lastAssistant?: string;
  private last?: EndedRun;
  readonly notes: Notes;
  private readonly admitted: AdmittedRuns;
  private readonly limits: Limits;

  constructor(
    private readonly input: ConversationInput,
    private readonly now: () => number = Date.now,
    /**
     * When the execution started; the same however often it is replayed, which the time of its
     * first task is not.
     */
    startedAt = now(),
  ) {
    const { carried, settings } = input;
    this.limits = new Limits(input);
    // A later execution of the same thread must fence off an earlier one, and knows nothing of it
    // but the time.
    this.ordinal = carried?.ordinal ?? Math.floor(startedAt / 1000);
    this.turns = carried?.turns ?? 0;
    this.hasTaken = carried !== undefined;
    this.waiting = carried?.queue ?? [];
    this.delayed = new DelayedRuns(carried?.delayed);
    this.injections = new Injections(carried?.injections);
    this.questions = new Questions(input.threadId, carried?.interrupts);
    this.settledStatus = carried?.status ?? 'idle';
    this.notes = new Notes(now, carried?.notes);
    this.admitted = new AdmittedRuns(settings.keyWindow, carried?.admitted);
    if (carried?.cursor) this.cursor = carried.cursor;
    if (carried?.assistantId) this.lastAssistant = carried.assistantId;
    if (carried?.last) this.last = carried.last;
  }

  // ---- intake

  /** Refuses what {@link submit} would refuse; changes nothing. */
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
    // Runs that are being cancelled take room until they have ended; what replaces them needs some
    // too.
    if (this.isLater(request)) this.limits.checkBeside(this.delayed.all.length, 'delayed runs', runId);
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
   * A message that nobody stored yet, in strict order behind all others. Answers the earlier run
   * when its key came before.
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

  /** Refuses what {@link resume} would refuse; answers the question's id. */
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
   * Marks runs; those that wait are ended before the next step, the current one as soon as its
   * activity stops.
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

  // ---- messages for the turn at work

  /** Refuses what {@link inject} would refuse; changes nothing. */
  checkInject({ runId }: InjectMessage): Injected {
    this.checkOpen(`message ${runId}`);
    if (this.admitted.find(runId) !== undefined) return { duplicate: true };
    if (this.alive().length === 0) throw this.limits.refusal('conflict', `has no run at work for message ${runId}`);
    this.limits.checkBeside(this.injections.ids.length, 'messages that no turn has taken', `message ${runId}`);
    return { duplicate: false };
  }

  inject(message: InjectMessage): Injected {
    const answer = this.checkInject(message);
    if (answer.duplicate) return answer;
    this.injections.add({ ...message });
    this.admitted.add(message.runId);
    return answer;
  }

  /** The state was edited: nobody need answer these questions, and no deadline does. */
  edited(edit: EditedState, counts = () => true): void {
    if (this.current) this.questions.closeLater(edit, counts);
    if (this.questions.close(edit.closed) && !this.current) this.settledStatus = edit.status;
  }

  // ---- deadlines of questions

  /** Milliseconds until the first default answer is due; undefined when nobody waits for one. */
  untilDeadline(): number | undefined {
    return this.questions.untilDeadline(this.alive(), this.now());
  }

  /** Gives the default answers that are due. */
  answerByDefault(newRunId: () => string): void {
    const due = this.questions.deadlines(this.alive()).filter(({ at }) => at <= this.now());
    for (const { question } of due) {
      this.questions.expire(question.id);
      const unrecorded = { resume: { interruptId: question.id }, byDeadline: true };
      this.enqueueUnrecorded(newRunId(), unrecorded, question.id);
    }
  }

  // ---- delayed runs

  /** When the first delayed run is due, in ms since the epoch; undefined without one. */
  get nextDueAt(): number | undefined {
    return this.delayed.nextAt;
  }

  /**
   * Milliseconds until something is to do by itself: a delayed run, a default answer. Undefined
   * when there is no such thing.
   */
  untilDue(): number | undefined {
    const waits = [this.untilDeadline() ?? Infinity, (this.delayed.nextAt ?? Infinity) - this.now()];
    const wait = Math.min(...waits);
    return wait === Infinity ? undefined : Math.max(1, wait);
  }

  // ---- the pump

  /** Whether a run waits, or is due. */
  get hasWork(): boolean {
    return this.waiting.length > 0 || (this.delayed.nextAt ?? Infinity) <= this.now();
  }

  /**
   * Whether nothing will ever come any more. A stateless conversation is over when what it was
   * started for has ended.
   */
  get isOver(): boolean {
    const isDone = this.closed || (this.input.ephemeral === true && this.hasTaken);
    return isDone && !this.hasWork && !this.current && this.delayed.nextAt === undefined;
  }

  /** Whether it is stateless and has had nothing to do yet. */
  get awaitsFirstRun(): boolean {
    return this.input.ephemeral === true && !this.hasTaken && this.delayed.nextAt === undefined;
  }

  /** Makes the first waiting run the current one. */
  take(): CurrentRun {
    this.enqueueDue();
    const run = this.waiting.shift();
    if (!run) throw new Error('no run waits');
    this.ordinal += 1;
    this.hasTaken = true;
    this.current = { run, ordinal: this.ordinal, step: 0, nodes: [] };
    return this.current;
  }

  /** Takes a cancelled run out of the line behind the current one. */
  takeCancelled(): QueuedRun | undefined {
    const index = this.waiting.findIndex((run) => run.cancelled !== undefined);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }

  /** Runs that still have to be recorded. */
  unrecorded(): QueuedRun[] {
    return this.waiting.filter((run) => run.unrecorded !== undefined);
  }

  /**
   * What a run that came by signal was recorded as. False: that is a run accepted before, which
   * needs no second turn.
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

  /** Takes a run away that will never run; its key is free again. */
  drop(run: QueuedRun): void {
    this.admitted.forget(run.runId);
    if (this.current?.run === run) this.leave();
    this.waiting = this.waiting.filter((other) => other !== run);
  }

  /** The current run takes its first step: whatever question it does not answer is abandoned. */
  begin(current: CurrentRun): void {
    current.questionsBefore = this.questions.all;
    this.questions.begin(current.run);
    this.turns += 1;
    this.lastAssistant = current.run.assistantId;
  }

  /** Someone else's fence is higher than ours: take one that is higher still. */
  raiseOrdinal(current: CurrentRun, above: number): void {
    this.ordinal = Math.max(this.ordinal, above, Math.floor(this.now() / 1000)) + 1;
    current.ordinal = this.ordinal;
    delete this.cursor;
  }

  /** A step has ended; true when another is due. */
  stepped(current: CurrentRun, outcome: StepOutcome): boolean {
    this.setCursor(outcome.cursor);
    current.nodes = outcome.next;
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

  /** A run was ended from outside of its steps. */
  ended(run: QueuedRun, end: Omit<EndedRun, 'runId'>, stands?: Standing): void {
    this.setCursor(stands?.cursor);
    if (this.current?.run !== run) return;
    if (run.cancelled === 'rollback') this.injections.clear();
    if (stands !== undefined) this.questions.ask(stands.interrupts, this.current.questionsBefore);
    else if (run.cancelled === 'rollback') this.restoreQuestions(this.current);
    const quiet = this.questions.all.length > 0 ? 'interrupted' : 'idle';
    const fallback = end.status === 'error' ? 'error' : quiet;
    this.settledStatus = stands === undefined || stands.threadStatus === 'busy' ? fallback : stands.threadStatus;
    this.leave({ runId: run.runId, ...end });
  }

  // ---- views

  view(): ConversationView {
    const { current } = this;
    return {
      threadId: this.input.threadId,
      status: current || this.hasWork ? 'busy' : this.settledStatus,
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

  /** State for the next execution, taken between two turns. */
  carry(): CarriedState {
    return {
      ordinal: this.ordinal,
      turns: this.turns,
      queue: this.waiting,
      ...(this.delayed.nextAt === undefined ? {} : { delayed: this.delayed.entries() }),
      ...(this.injections.ids.length > 0 && { injections: this.injections.entries() }),
      admitted: this.admitted.entries(),
      interrupts: this.questions.all,
      status: this.settledStatus,
      ...(this.cursor ? { cursor: this.cursor } : {}),
      ...(this.lastAssistant ? { assistantId: this.lastAssistant } : {}),
      ...(this.last ? { last: this.last } : {}),
      notes: this.notes.entries,
    };
  }

  // ---- parts

  /** Runs that nobody cancelled, the current one first. */
  private alive(): QueuedRun[] {
    const known = this.current ? [this.current.run, ...this.waiting] : this.waiting;
    return known.filter((run) => run.cancelled === undefined);
  }

  /** Those, and the runs whose time has not come. */
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

  private checkOpen(what: string): void {
    if (this.closed) throw this.limits.refusal('thread_closed', `is closed; cannot accept ${what}`);
  }

  private checkRoom(what: string, factor = 1): void {
    this.limits.checkRuns(this.waiting.length + Number(this.current !== undefined), what, factor);
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
