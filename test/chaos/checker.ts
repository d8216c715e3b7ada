/**
 * Checks the records of the chaos program against the guarantees that Colloquy gives to users. It
 * sends no requests.
 */
import { assembleTexts, attemptOf, effectiveEvents } from './assembler.js';
import { checkBlame } from './blame.js';
import type { EffectRecord } from './ledger.js';
import { expectedEnd, isMischief } from './mischief.js';
import {
  offsetOf,
  type CheckpointRecord,
  type AcceptedRecord,
  type LedgerRecord,
  type SeenEvent,
  type SeenRecord,
  type ThreadRecord,
  type StateMessage,
  type TroubleRecord,
} from './records.js';
import {
  expectedEffects,
  expectedTurn,
  readAsk,
  withoutAttempt,
  type Ask,
  type AskDecision,
  type Expected,
} from './script.js';
import type { Violation } from './violation.js';

/** The records of one conversation, as its clients saw it. */
interface ConversationRecord {
  name: string;
  threadId: string;
  asks: { ask: Ask; accepted: AcceptedRecord; decision: AskDecision | undefined }[];
  runs: SeenRecord[];
  thread: ThreadRecord | undefined;
}

/** Returns all violations of the guarantees. */
export function check(records: readonly LedgerRecord[]): Violation[] {
  const troubles = records.filter((record): record is TroubleRecord => record.type === 'trouble');
  const effects = records.filter((record): record is EffectRecord => record.type === 'effect');
  return [
    ...troubles.map(({ type: _, ...trouble }) => trouble),
    ...conversations(records).flatMap((conversation) => [
      ...checkAnswered(conversation),
      ...checkTranscript(conversation),
      ...checkHistory(conversation),
      ...conversation.runs.flatMap((run) => checkStream(run, conversation)),
      ...checkEffects(conversation, effects),
    ]),
    ...checkForeignEffects(records, effects),
    ...checkBlame(records),
  ];
}

function conversations(records: readonly LedgerRecord[]): ConversationRecord[] {
  const accepted = records.filter((record): record is AcceptedRecord => record.type === 'accepted');
  const names = [...new Set(accepted.map(({ conversation }) => conversation))];
  return names.map((name) => {
    const own = accepted.filter(({ conversation }) => conversation === name);
    const decisions = new Map(
      own.filter(({ part }) => part === 'answer').map(({ n, text }) => [n, text as AskDecision]),
    );
    return {
      name,
      threadId: own[0]?.threadId ?? '',
      asks: own
        .filter(({ part }) => part === 'ask')
        .map((one) => ({ ask: readAsk(one.text), accepted: one, decision: decisions.get(one.n) })),
      runs: records.filter((record): record is SeenRecord => record.type === 'seen' && record.conversation === name),
      thread: records.find(
        (record): record is ThreadRecord => record.type === 'thread' && record.conversation === name,
      ),
    };
  });
}

// ---- guarantee: every accepted message is answered once, in order

function checkAnswered({ name, threadId, asks, runs }: ConversationRecord): Violation[] {
  const violations: Violation[] = [];
  const byRun = new Map<string, string>();
  for (const { accepted } of asks) {
    const other = byRun.get(accepted.runId);
    if (other !== undefined)
      violations.push({
        kind: 'shared run',
        conversation: name,
        threadId,
        runId: accepted.runId,
        detail: `messages ${other} and ${accepted.text} have one run`,
      });
    byRun.set(accepted.runId, accepted.text);
    if (!runs.some((run) => run.runId === accepted.runId))
      violations.push({
        kind: 'unanswered',
        conversation: name,
        threadId,
        runId: accepted.runId,
        detail: `nobody saw the run of "${accepted.text}" end`,
      });
  }
  return violations;
}

/**
 * Checks that the transcript has exactly the messages of all turns, in the order in which the
 * users' messages were accepted.
 */
function checkTranscript({ name, threadId, asks, thread }: ConversationRecord): Violation[] {
  if (thread === undefined)
    return [{ kind: 'unread', conversation: name, threadId, detail: 'the final state was not read' }];
  const expected = asks.flatMap(({ ask, decision }) => expectedTurn(ask, decision));
  const actual = thread.state.messages.map(plain);
  const index = firstDifference(actual, expected);
  if (index === undefined) return [];
  const shown = (list: Expected[]) =>
    list.slice(Math.max(0, index - 2), index + 3).map(({ type, text }) => `${type}: ${text}`);
  return [
    {
      kind: 'transcript',
      conversation: name,
      threadId,
      detail: `message ${index + 1} of ${actual.length} is not what it must be (${expected.length} messages); is [${shown(actual).join(' | ')}], must be [${shown(expected).join(' | ')}]`,
    },
  ];
}

function plain({ type, text }: StateMessage): Expected {
  return { type: type as Expected['type'], text: type === 'ai' ? withoutAttempt(text) : text };
}

function firstDifference(actual: Expected[], expected: Expected[]): number | undefined {
  const length = Math.max(actual.length, expected.length);
  for (let index = 0; index < length; index += 1) {
    if (actual[index]?.type !== expected[index]?.type || actual[index]?.text !== expected[index]?.text) return index;
  }
  return undefined;
}

// ---- guarantee: all checkpoints form one chain without gaps that ends at the thread's state

function checkHistory({ name, threadId, thread }: ConversationRecord): Violation[] {
  if (thread === undefined) return [];
  const wrong = (detail: string): Violation => ({ kind: 'history', conversation: name, threadId, detail });
  const violations: Violation[] = [];
  const { history, state } = thread;
  if (state.next.length > 0) violations.push(wrong(`the thread is over, but ${state.next.join(', ')} is due`));
  const byId = new Map(history.map((checkpoint) => [checkpoint.id, checkpoint]));
  let current = byId.get(state.checkpointId);
  if (current === undefined)
    return [...violations, wrong(`the state's checkpoint ${state.checkpointId} is not in the history`)];
  if (!same(current.messages, state.messages)) violations.push(wrong('the state is not what its checkpoint says'));
  const chain = new Set<string>();
  while (current !== undefined && !chain.has(current.id)) {
    chain.add(current.id);
    const parent: CheckpointRecord | undefined = current.parent === null ? undefined : byId.get(current.parent);
    if (current.parent !== null && parent === undefined)
      violations.push(wrong(`checkpoint ${current.id} has the parent ${current.parent}, which is not there`));
    if (parent !== undefined && parent.step + 1 !== current.step)
      violations.push(wrong(`step ${current.step} follows step ${parent.step}`));
    if (parent !== undefined && !same(parent.messages, current.messages.slice(0, parent.messages.length)))
      violations.push(wrong(`step ${current.step} changes what step ${parent.step} had said`));
    current = parent;
  }
  const strays = history.filter(({ id }) => !chain.has(id));
  if (strays.length > 0)
    violations.push(
      wrong(
        `${strays.length} checkpoints are committed beside the thread, as step ${strays[0]?.step} (${strays[0]?.id})`,
      ),
    );
  return violations;
}

function same(a: StateMessage[], b: StateMessage[]): boolean {
  return a.length === b.length && a.every(({ id, text }, index) => id === b[index]?.id && text === b[index]?.text);
}

// ---- guarantee: streams miss no event, repeat no event, and have no text of a failed attempt

function checkStream(run: SeenRecord, { name, threadId, thread, asks }: ConversationRecord): Violation[] {
  const asked = asks.find(({ accepted }) => accepted.runId === run.runId)?.ask;
  const wrong = (kind: string, detail: string): Violation => ({
    kind,
    conversation: name,
    threadId,
    runId: run.runId,
    detail,
  });
  const final = thread?.state.messages ?? [];
  const violations: Violation[] = [];
  if (run.result !== undefined && !isStartOf(run.result, final))
    violations.push(
      wrong('result', `a waiting client got what is not in the transcript: ${JSON.stringify(run.result.at(-1))}`),
    );
  for (const [which, events] of [
    ['live', run.live],
    ['replayed', run.replay],
  ] as const) {
    if (events === undefined) continue;
    violations.push(...checkOrder(events).map((detail) => wrong('stream order', `${which}: ${detail}`)));
    violations.push(...checkValues(events, final).map((detail) => wrong('stream values', `${which}: ${detail}`)));
    violations.push(
      ...checkLastValues(events, run, asked).map((detail) => wrong('stream values', `${which}: ${detail}`)),
    );
    violations.push(...checkText(events, run, final).map((detail) => wrong('stream text', `${which}: ${detail}`)));
  }
  if (run.live !== undefined && run.replay !== undefined)
    violations.push(...checkGaps(run.live, run.replay).map((detail) => wrong('stream gap', detail)));
  return violations;
}

function checkOrder(events: readonly SeenEvent[]): string[] {
  const violations: string[] = [];
  let last = -1;
  for (const [index, { id, event }] of events.entries()) {
    const isFirst =
      event === 'metadata' && (JSON.parse(events[index]?.data ?? '{}') as { attempt?: number }).attempt === 1;
    const offset = offsetOf(id);
    if (Number.isNaN(offset)) violations.push(`event ${event} has the id "${id}"`);
    else if (isFirst ? offset < last : offset <= last)
      violations.push(`event ${event} with offset ${offset} came after offset ${last}`);
    last = Math.max(last, offset);
  }
  return violations;
}

/** Checks that the messages of every streamed state are the first messages of the transcript. */
function checkValues(events: readonly SeenEvent[], final: StateMessage[]): string[] {
  return effectiveEvents(events)
    .filter(({ event }) => event === 'values')
    .map(({ id, data }) => ({ id, messages: JSON.parse(data) as StateMessage[] }))
    .filter(({ messages }) => !isStartOf(messages, final))
    .map(
      ({ id, messages }) =>
        `the values of event ${id} are not of this transcript; last ${JSON.stringify(messages.at(-1))}`,
    );
}

/**
 * Checks that the last streamed state of a run ends with the model message that ends the run. A run
 * that must end before the model answers has none.
 */
function checkLastValues(events: readonly SeenEvent[], run: SeenRecord, asked: Ask | undefined): string[] {
  if (asked !== undefined && isMischief(asked.kind) && expectedEnd(asked).status !== 'success') return [];
  const last = effectiveEvents(events)
    .filter(({ event }) => event === 'values')
    .map(({ data }) => (JSON.parse(data) as StateMessage[]).at(-1))
    .findLast((message) => message !== undefined);
  const word = run.status === 'interrupted' ? 'thinking' : 'answer';
  if (last !== undefined && isTextOfTurn(run, last, word)) return [];
  return [`the last values do not end with the ${word} of this turn, but with ${JSON.stringify(last)}`];
}

function isTextOfTurn({ conversation, n }: SeenRecord, { type, text }: StateMessage, word: string): boolean {
  return type === 'ai' && text.startsWith(`${word} ${conversation}.${n} `);
}

function isStartOf(messages: StateMessage[], final: StateMessage[]): boolean {
  return same(messages, final.slice(0, messages.length));
}

/** Checks that the streamed text of each model message equals its text in the final state. */
function checkText(events: readonly SeenEvent[], run: SeenRecord, final: StateMessage[]): string[] {
  const texts = assembleTexts(effectiveEvents(events));
  const attempts = `${1 + events.filter((event) => attemptOf(event)).length} attempts`;
  const byId = new Map(final.map((message) => [message.id, message.text]));
  const wrong = [...texts].filter(([id, text]) => byId.get(id) !== text);
  const missing = ownMessages(run, final).filter(({ id, text }) => text !== '' && !texts.has(id));
  return [
    ...wrong.map(
      ([id, text]) => `message ${id} was streamed as "${text}", is "${byId.get(id) ?? '(not there)'}" (${attempts})`,
    ),
    ...missing.map(({ id, text }) => `message ${id} "${text}" was not streamed (${attempts})`),
  ];
}

/**
 * Returns the model messages that a run must have streamed. Messages of a subgraph are among them
 * only if the client requested the events of subgraphs.
 */
function ownMessages(run: SeenRecord, final: StateMessage[]): StateMessage[] {
  const asked = final.find(
    (message) => message.type === 'human' && message.text.startsWith(`ask ${run.conversation}.${run.n} `),
  );
  if (asked === undefined) return [];
  const { kind } = readAsk(asked.text);
  const thoughts = final.filter((message) => isTextOfTurn(run, message, 'thinking'));
  const answers = final.filter((message) => isTextOfTurn(run, message, 'answer'));
  if (kind === 'approve') return run.part === 'ask' ? thoughts : answers;
  return kind === 'helper' && !run.subgraphs ? answers : [...thoughts, ...answers];
}

/**
 * Compares the live stream of a run with the replay, which is the stream that was read after the
 * end of the run. Ignores events that a later attempt supersedes. Reports events that only one of
 * the two streams has, and events with different data.
 */
function checkGaps(live: readonly SeenEvent[], replay: readonly SeenEvent[]): string[] {
  const [received, kept] = [live, replay].map(
    (events) => new Map(effectiveEvents(events).map((event) => [offsetOf(event.id), event])),
  ) as [Map<number, SeenEvent>, Map<number, SeenEvent>];
  const missed = [...kept.values()].filter(({ id, data }) => received.get(offsetOf(id))?.data !== data);
  const stale = [...received.values()].filter(({ id }) => !kept.has(offsetOf(id)));
  return [
    ...missed.map(
      ({ id, event }) =>
        `event ${id} (${event}) was ${received.has(offsetOf(id)) ? 'other' : 'not streamed'} when it was live`,
    ),
    ...stale.map(
      ({ id, event }) => `event ${id} (${event}) is not in the log any more, and no streamed attempt supersedes it`,
    ),
  ];
}

// ---- guarantee: each effect of a tool happens exactly once

function checkEffects({ name, threadId, asks }: ConversationRecord, effects: readonly EffectRecord[]): Violation[] {
  return asks.flatMap(({ ask, decision, accepted }) =>
    expectedEffects(ask, decision).flatMap((effect): Violation[] => {
      const keys = new Set(effects.filter((one) => one.effect === effect).map(({ key }) => key));
      if (keys.size === 1) return [];
      const detail =
        keys.size === 0
          ? `effect ${effect} did not happen`
          : `effect ${effect} happened ${keys.size} times: ${[...keys].join(', ')}`;
      return [{ kind: 'effect', conversation: name, threadId, runId: accepted.runId, detail }];
    }),
  );
}

/** Finds effects that no message asked for, and idempotency keys that two effects share. */
function checkForeignEffects(records: readonly LedgerRecord[], effects: readonly EffectRecord[]): Violation[] {
  const all = conversations(records);
  const wanted = new Set(
    all.flatMap(({ asks }) => asks.flatMap(({ ask, decision }) => expectedEffects(ask, decision))),
  );
  const violations: Violation[] = [];
  const byKey = new Map<string, string>();
  for (const { key, effect } of effects) {
    const conversation = effect.split('.')[0] ?? '';
    const threadId = all.find(({ name }) => name === conversation)?.threadId ?? '';
    if (!wanted.has(effect))
      violations.push({ kind: 'effect', conversation, threadId, detail: `effect ${effect} was not asked for` });
    const other = byKey.get(key);
    if (other !== undefined && other !== effect)
      violations.push({
        kind: 'effect',
        conversation,
        threadId,
        detail: `key ${key} stands for ${other} and ${effect}`,
      });
    byKey.set(key, effect);
  }
  return violations;
}
