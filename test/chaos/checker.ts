/** Says what went wrong, from records alone: it asks nobody. Every check is about one promise to people. */
import { assembleTexts, attemptOf, effectiveEvents } from './assembler.js';
import type { EffectRecord } from './ledger.js';
import {
  offsetOf,
  type CheckpointRecord,
  type AcceptedRecord,
  type LedgerRecord,
  type SeenEvent,
  type SeenRecord,
  type ThreadRecord,
  type Told,
  type TroubleRecord,
} from './records.js';
import {
  expectedEffects,
  expectedTurn,
  readAsk,
  withoutAttempt,
  type Ask,
  type Decision,
  type Expected,
} from './script.js';

export interface Violation {
  kind: string;
  conversation: string;
  threadId: string;
  runId?: string;
  detail: string;
}

/** One conversation as everybody outside of the platform knows it. */
interface Story {
  name: string;
  threadId: string;
  asks: { ask: Ask; accepted: AcceptedRecord; decision: Decision | undefined }[];
  runs: SeenRecord[];
  thread: ThreadRecord | undefined;
}

/** All violations of what was promised. */
export function check(records: readonly LedgerRecord[]): Violation[] {
  const troubles = records.filter((record): record is TroubleRecord => record.type === 'trouble');
  const effects = records.filter((record): record is EffectRecord => record.type === 'effect');
  return [
    ...troubles.map(({ type: _, ...trouble }) => trouble),
    ...conversations(records).flatMap((told) => [
      ...checkAnswered(told),
      ...checkTranscript(told),
      ...checkHistory(told),
      ...told.runs.flatMap((run) => checkStream(run, told)),
      ...checkEffects(told, effects),
    ]),
    ...checkForeignEffects(records, effects),
  ];
}

function conversations(records: readonly LedgerRecord[]): Story[] {
  const accepted = records.filter((record): record is AcceptedRecord => record.type === 'accepted');
  const names = [...new Set(accepted.map(({ conversation }) => conversation))];
  return names.map((name) => {
    const own = accepted.filter(({ conversation }) => conversation === name);
    const decisions = new Map(own.filter(({ part }) => part === 'answer').map(({ n, text }) => [n, text as Decision]));
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

// ---- every accepted message is answered once, in order

function checkAnswered({ name, threadId, asks, runs }: Story): Violation[] {
  const found: Violation[] = [];
  const byRun = new Map<string, string>();
  for (const { accepted } of asks) {
    const other = byRun.get(accepted.runId);
    if (other !== undefined)
      found.push({
        kind: 'shared run',
        conversation: name,
        threadId,
        runId: accepted.runId,
        detail: `messages ${other} and ${accepted.text} have one run`,
      });
    byRun.set(accepted.runId, accepted.text);
    if (!runs.some((run) => run.runId === accepted.runId))
      found.push({
        kind: 'unanswered',
        conversation: name,
        threadId,
        runId: accepted.runId,
        detail: `nobody saw the run of "${accepted.text}" end`,
      });
  }
  return found;
}

/** The transcript is the turns in the order in which the messages were accepted, and nothing else. */
function checkTranscript({ name, threadId, asks, thread }: Story): Violation[] {
  if (thread === undefined)
    return [{ kind: 'unread', conversation: name, threadId, detail: 'the final state was not read' }];
  const expected = asks.flatMap(({ ask, decision }) => expectedTurn(ask, decision));
  const actual = thread.state.messages.map(plain);
  const at = firstDifference(actual, expected);
  if (at === undefined) return [];
  const shown = (list: Expected[]) =>
    list.slice(Math.max(0, at - 2), at + 3).map(({ type, text }) => `${type}: ${text}`);
  return [
    {
      kind: 'transcript',
      conversation: name,
      threadId,
      detail: `message ${at + 1} of ${actual.length} is not what it must be (${expected.length} messages); is [${shown(actual).join(' | ')}], must be [${shown(expected).join(' | ')}]`,
    },
  ];
}

function plain({ type, text }: Told): Expected {
  return { type: type as Expected['type'], text: type === 'ai' ? withoutAttempt(text) : text };
}

function firstDifference(actual: Expected[], expected: Expected[]): number | undefined {
  const length = Math.max(actual.length, expected.length);
  for (let at = 0; at < length; at += 1) {
    if (actual[at]?.type !== expected[at]?.type || actual[at]?.text !== expected[at]?.text) return at;
  }
  return undefined;
}

// ---- the transcript is what the steps committed

function checkHistory({ name, threadId, thread }: Story): Violation[] {
  if (thread === undefined) return [];
  const wrong = (detail: string): Violation => ({ kind: 'history', conversation: name, threadId, detail });
  const found: Violation[] = [];
  const { history, state } = thread;
  if (state.next.length > 0) found.push(wrong(`the thread is over, but ${state.next.join(', ')} is due`));
  const byId = new Map(history.map((checkpoint) => [checkpoint.id, checkpoint]));
  let current = byId.get(state.checkpointId);
  if (current === undefined)
    return [...found, wrong(`the state's checkpoint ${state.checkpointId} is not in the history`)];
  if (!same(current.messages, state.messages)) found.push(wrong('the state is not what its checkpoint says'));
  const chain = new Set<string>();
  while (current !== undefined && !chain.has(current.id)) {
    chain.add(current.id);
    const parent: CheckpointRecord | undefined = current.parent === null ? undefined : byId.get(current.parent);
    if (current.parent !== null && parent === undefined)
      found.push(wrong(`checkpoint ${current.id} has the parent ${current.parent}, which is not there`));
    if (parent !== undefined && parent.step + 1 !== current.step)
      found.push(wrong(`step ${current.step} follows step ${parent.step}`));
    if (parent !== undefined && !same(parent.messages, current.messages.slice(0, parent.messages.length)))
      found.push(wrong(`step ${current.step} changes what step ${parent.step} had said`));
    current = parent;
  }
  const strays = history.filter(({ id }) => !chain.has(id));
  if (strays.length > 0)
    found.push(
      wrong(
        `${strays.length} checkpoints are committed beside the thread, as step ${strays[0]?.step} (${strays[0]?.id})`,
      ),
    );
  return found;
}

function same(a: Told[], b: Told[]): boolean {
  return a.length === b.length && a.every(({ id, text }, at) => id === b[at]?.id && text === b[at]?.text);
}

// ---- streams have no gap, no double, and nothing of a superseded attempt

function checkStream(run: SeenRecord, { name, threadId, thread }: Story): Violation[] {
  const wrong = (kind: string, detail: string): Violation => ({
    kind,
    conversation: name,
    threadId,
    runId: run.runId,
    detail,
  });
  const final = thread?.state.messages ?? [];
  const found: Violation[] = [];
  if (run.result !== undefined && !isStartOf(run.result, final))
    found.push(
      wrong('result', `a waiting client got what is not in the transcript: ${JSON.stringify(run.result.at(-1))}`),
    );
  for (const [which, events] of [
    ['live', run.live],
    ['replayed', run.replay],
  ] as const) {
    if (events === undefined) continue;
    found.push(...checkOrder(events).map((detail) => wrong('stream order', `${which}: ${detail}`)));
    found.push(...checkValues(events, final).map((detail) => wrong('stream values', `${which}: ${detail}`)));
    found.push(...checkLastValues(events, run).map((detail) => wrong('stream values', `${which}: ${detail}`)));
    found.push(...checkText(events, run, final).map((detail) => wrong('stream text', `${which}: ${detail}`)));
  }
  if (run.live !== undefined && run.replay !== undefined)
    found.push(...checkGaps(run.live, run.replay).map((detail) => wrong('stream gap', detail)));
  return found;
}

function checkOrder(events: readonly SeenEvent[]): string[] {
  const found: string[] = [];
  let last = -1;
  for (const [index, { id, event }] of events.entries()) {
    const isFirst =
      event === 'metadata' && (JSON.parse(events[index]?.data ?? '{}') as { attempt?: number }).attempt === 1;
    const offset = offsetOf(id);
    if (Number.isNaN(offset)) found.push(`event ${event} has the id "${id}"`);
    else if (isFirst ? offset < last : offset <= last)
      found.push(`event ${event} with offset ${offset} came after offset ${last}`);
    last = Math.max(last, offset);
  }
  return found;
}

/** A state that was told is one that the thread had. */
function checkValues(events: readonly SeenEvent[], final: Told[]): string[] {
  return effectiveEvents(events)
    .filter(({ event }) => event === 'values')
    .map(({ id, data }) => ({ id, messages: JSON.parse(data) as Told[] }))
    .filter(({ messages }) => !isStartOf(messages, final))
    .map(
      ({ id, messages }) =>
        `the values of event ${id} are not of this transcript; last ${JSON.stringify(messages.at(-1))}`,
    );
}

/** The last state that a run tells is the one it leaves. */
function checkLastValues(events: readonly SeenEvent[], run: SeenRecord): string[] {
  const told = effectiveEvents(events)
    .filter(({ event }) => event === 'values')
    .map(({ data }) => (JSON.parse(data) as Told[]).at(-1))
    .findLast((last) => last !== undefined);
  const word = run.status === 'interrupted' ? 'thinking' : 'answer';
  if (told !== undefined && isSaidIn(run, told, word)) return [];
  return [`the last values do not end with the ${word} of this turn, but with ${JSON.stringify(told)}`];
}

function isSaidIn({ conversation, n }: SeenRecord, { type, text }: Told, word: string): boolean {
  return type === 'ai' && text.startsWith(`${word} ${conversation}.${n} `);
}

function isStartOf(messages: Told[], final: Told[]): boolean {
  return same(messages, final.slice(0, messages.length));
}

/** What a chat shows at the end is what the state says. */
function checkText(events: readonly SeenEvent[], run: SeenRecord, final: Told[]): string[] {
  const texts = assembleTexts(effectiveEvents(events));
  const attempts = `${1 + events.filter((event) => attemptOf(event)).length} attempts`;
  const byId = new Map(final.map((message) => [message.id, message.text]));
  const wrong = [...texts].filter(([id, text]) => byId.get(id) !== text);
  const untold = ownMessages(run, final).filter(({ id, text }) => text !== '' && !texts.has(id));
  return [
    ...wrong.map(
      ([id, text]) => `message ${id} was told as "${text}", is "${byId.get(id) ?? '(not there)'}" (${attempts})`,
    ),
    ...untold.map(({ id, text }) => `message ${id} "${text}" was not told (${attempts})`),
  ];
}

/** Messages of the model that a run must have streamed. Those of a subgraph only to who asked for them. */
function ownMessages(run: SeenRecord, final: Told[]): Told[] {
  const asked = final.find(
    (message) => message.type === 'human' && message.text.startsWith(`ask ${run.conversation}.${run.n} `),
  );
  if (asked === undefined) return [];
  const { kind } = readAsk(asked.text);
  const thoughts = final.filter((message) => isSaidIn(run, message, 'thinking'));
  const answers = final.filter((message) => isSaidIn(run, message, 'answer'));
  if (kind === 'approve') return run.part === 'ask' ? thoughts : answers;
  return kind === 'helper' && !run.subgraphs ? answers : [...thoughts, ...answers];
}

/** What counts of the live stream is what the log has now: nothing was left out, nothing that a later attempt took back stayed. */
function checkGaps(live: readonly SeenEvent[], replay: readonly SeenEvent[]): string[] {
  const [told, kept] = [live, replay].map(
    (events) => new Map(effectiveEvents(events).map((event) => [offsetOf(event.id), event])),
  ) as [Map<number, SeenEvent>, Map<number, SeenEvent>];
  const missed = [...kept.values()].filter(({ id, data }) => told.get(offsetOf(id))?.data !== data);
  const stale = [...told.values()].filter(({ id }) => !kept.has(offsetOf(id)));
  return [
    ...missed.map(
      ({ id, event }) => `event ${id} (${event}) was ${told.has(offsetOf(id)) ? 'other' : 'not told'} when it was live`,
    ),
    ...stale.map(
      ({ id, event }) => `event ${id} (${event}) is not in the log any more, and no attempt that was told says why`,
    ),
  ];
}

// ---- each effect once

function checkEffects({ name, threadId, asks }: Story, effects: readonly EffectRecord[]): Violation[] {
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

/** Effects that nobody asked for, and keys that stand for more than one effect. */
function checkForeignEffects(records: readonly LedgerRecord[], effects: readonly EffectRecord[]): Violation[] {
  const told = conversations(records);
  const wanted = new Set(
    told.flatMap(({ asks }) => asks.flatMap(({ ask, decision }) => expectedEffects(ask, decision))),
  );
  const found: Violation[] = [];
  const byKey = new Map<string, string>();
  for (const { key, effect } of effects) {
    const conversation = effect.split('.')[0] ?? '';
    const threadId = told.find(({ name }) => name === conversation)?.threadId ?? '';
    if (!wanted.has(effect))
      found.push({ kind: 'effect', conversation, threadId, detail: `effect ${effect} was not asked for` });
    const other = byKey.get(key);
    if (other !== undefined && other !== effect)
      found.push({ kind: 'effect', conversation, threadId, detail: `key ${key} stands for ${other} and ${effect}` });
    byKey.set(key, effect);
  }
  return found;
}
