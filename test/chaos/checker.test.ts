import { describe, expect, it } from '@jest/globals';
import { check } from './checker.js';
import type { EffectRecord } from './ledger.js';
import type { AcceptedRecord, LedgerRecord, SeenEvent, SeenRecord, ThreadRecord, StateMessage } from './records.js';
import { answerText, sayAsk, thoughtText, type Ask } from './script.js';

const NAMES = { conversation: 'c1', threadId: 't1' } as const;
const asks: Ask[] = [
  { conversation: 'c1', n: 1, kind: 'plain', calls: 1, words: 3 },
  { conversation: 'c1', n: 2, kind: 'tool', calls: 1, words: 4 },
];

/**
 * Correct records of a conversation with two turns (a user's message and everything up to its
 * answer). The first turn has no tool call, the second has one.
 */
class Fabricated {
  readonly messages: StateMessage[] = [
    { id: 'h1', type: 'human', text: sayAsk(asks[0] as Ask) },
    { id: 'a1', type: 'ai', text: answerText(asks[0] as Ask, 1) },
    { id: 'h2', type: 'human', text: sayAsk(asks[1] as Ask) },
    { id: 'a2', type: 'ai', text: thoughtText(asks[1] as Ask, 0, 1) },
    { id: 't2', type: 'tool', text: 'done c1.2/0' },
    { id: 'a3', type: 'ai', text: answerText(asks[1] as Ask, 2) },
  ];
  accepted: AcceptedRecord[] = asks.map((ask) => ({
    type: 'accepted',
    ...NAMES,
    n: ask.n,
    part: 'ask',
    runId: `r${ask.n}`,
    text: sayAsk(ask),
    at: ask.n,
  }));
  effects: EffectRecord[] = [{ type: 'effect', key: 'k', effect: 'c1.2/0' }];
  seen: SeenRecord[] = [this.run(1, ['a1'], 2), this.run(2, ['a2', 'a3'], 6)];
  thread: ThreadRecord = {
    type: 'thread',
    ...NAMES,
    status: 'idle',
    state: { checkpointId: 'p6', next: [], messages: this.messages },
    history: [6, 5, 4, 3, 2, 1].map((step) => ({
      id: `p${step}`,
      parent: step === 1 ? null : `p${step - 1}`,
      step,
      source: 'loop',
      messages: this.messages.slice(0, step),
    })),
  };

  /**
   * Returns the record of a run. The run streams the given messages word by word, and then the
   * state with the first `length` messages.
   */
  run(n: number, messageIds: string[], length: number): SeenRecord {
    const words = messageIds.flatMap((id) => {
      const text = this.messages.find((message) => message.id === id)?.text ?? '';
      return text.split(/(?<= )/).map((content) => ({ id, type: 'AIMessageChunk', content }));
    });
    const events: SeenEvent[] = [
      { id: `1-${n * 100}`, event: 'metadata', data: JSON.stringify({ run_id: `r${n}`, attempt: 1 }) },
      ...words.map((message, index) => piece(n * 100 + 1 + index, message)),
      { id: `1-${n * 100 + 90}`, event: 'values', data: JSON.stringify(this.messages.slice(0, length)) },
    ];
    const stream = { live: events, replay: [...events] };
    return {
      type: 'seen',
      ...NAMES,
      n,
      part: 'ask',
      runId: `r${n}`,
      status: 'success',
      subgraphs: true,
      ...stream,
      connections: 1,
      tookMs: 1,
    };
  }

  get second(): { live: SeenEvent[]; replay: SeenEvent[] } {
    return this.seen[1] as { live: SeenEvent[]; replay: SeenEvent[] };
  }

  violations(): string[] {
    const records: LedgerRecord[] = [...this.accepted, ...this.effects, ...this.seen, this.thread];
    return check(records).map(({ kind, detail }) => `${kind}: ${detail}`);
  }
}

function piece(offset: number, message: object): SeenEvent {
  return { id: `1-${offset}`, event: 'messages', data: JSON.stringify([message, {}]) };
}

describe('the checker', () => {
  it('finds no violation in correct records', () => {
    expect(new Fabricated().violations()).toEqual([]);
  });

  it('finds a duplicate message in the transcript', () => {
    const world = new Fabricated();
    world.messages.splice(2, 0, { ...(world.messages[0] as StateMessage), id: 'h1b' });
    expect(world.violations()).toContainEqual(expect.stringContaining('transcript: message 3 of 7'));
  });

  it("finds that the model's last message is missing in the transcript", () => {
    const world = new Fabricated();
    world.messages.pop();
    expect(world.violations()).toContainEqual(expect.stringContaining('transcript: message 6 of 5'));
  });

  it('finds messages that are not in the order of their acceptance', () => {
    const world = new Fabricated();
    world.accepted.reverse();
    expect(world.violations()).toContainEqual(expect.stringContaining('transcript: message 1 of 6'));
  });

  it('finds a run whose end no client saw', () => {
    const world = new Fabricated();
    world.seen.pop();
    expect(world.violations()).toEqual(['unanswered: nobody saw the run of "ask c1.2 tool calls=1 words=4" end']);
  });

  it('finds tool effects that happened twice, never, or without a request', () => {
    const world = new Fabricated();
    world.effects.push({ type: 'effect', key: 'other', effect: 'c1.2/0' });
    expect(world.violations()).toEqual(['effect: effect c1.2/0 happened 2 times: k, other']);
    world.effects = [];
    expect(world.violations()).toEqual(['effect: effect c1.2/0 did not happen']);
    world.effects = [
      { type: 'effect', key: 'k', effect: 'c1.2/0' },
      { type: 'effect', key: 'x', effect: 'c1.1/0' },
    ];
    expect(world.violations()).toEqual(['effect: effect c1.1/0 was not asked for']);
  });

  it('counts a repeated tool call with the same idempotency key as one effect', () => {
    const world = new Fabricated();
    world.effects.push({ type: 'effect', key: 'k', effect: 'c1.2/0' });
    expect(world.violations()).toEqual([]);
  });

  it('finds a piece of a message that is missing in the live stream', () => {
    const world = new Fabricated();
    world.second.live.splice(3, 1);
    expect(world.violations()).toEqual([
      expect.stringMatching(/^stream text: live: message a2 was streamed as "thinking c1.2 0?/),
      'stream gap: event 1-203 (messages) was not streamed when it was live',
    ]);
  });

  it('finds a duplicate event in the live stream', () => {
    const world = new Fabricated();
    const { live } = world.second;
    live.splice(4, 0, live[3] as SeenEvent);
    expect(world.violations()).toContain('stream order: live: event messages with offset 203 came after offset 203');
    expect(world.violations()).toContainEqual(expect.stringContaining('stream text: live: message a2 was streamed as'));
  });

  it('finds streamed text of a failed attempt if the next attempt does not supersede it', () => {
    const world = new Fabricated();
    const { live, replay } = world.second;
    const lost = piece(200.5, { id: 'a2', type: 'AIMessageChunk', content: 'thinking c1.2 try 1: lost' });
    const attempt = (superseded: [number, number][]): SeenEvent => ({
      id: '1-200.6',
      event: 'metadata',
      data: JSON.stringify({ run_id: 'r2', attempt: 2, superseded }),
    });
    live.splice(1, 0, lost, attempt([]));
    replay.splice(1, 0, attempt([]));
    expect(world.violations()).toContainEqual(
      expect.stringMatching(/^stream text: live: message a2 .*lost.*2 attempts/),
    );
    live.splice(2, 1, attempt([[200.5, 200.5]]));
    expect(world.violations()).toEqual([]);
  });

  it("finds a streamed state that the thread never had, and a last streamed state without the model's last message", () => {
    const world = new Fabricated();
    const { live } = world.second;
    live.splice(live.length - 1, 0, {
      id: '1-250',
      event: 'values',
      data: JSON.stringify([{ id: 'x', type: 'human', text: 'no' }]),
    });
    expect(world.violations()).toContainEqual(
      expect.stringContaining('stream values: live: the values of event 1-250 are not of this'),
    );
    const short = new Fabricated();
    for (const events of [short.second.live, short.second.replay]) events.pop();
    expect(short.violations()).toContainEqual(
      expect.stringContaining('the last values do not end with the answer of this turn'),
    );
  });

  it('finds a model message that was never streamed', () => {
    const world = new Fabricated();
    const { live, replay } = world.second;
    for (const events of [live, replay]) events.splice(1, events.length - 2);
    expect(world.violations()).toContainEqual(
      expect.stringMatching(/^stream text: live: message a2 .* was not streamed/),
    );
  });

  it('finds a checkpoint outside of the chain of parents, a missing parent, and a state that differs from its checkpoint', () => {
    const world = new Fabricated();
    world.thread.history.push({ id: 'stray', parent: 'p2', step: 3, source: 'loop', messages: [] });
    expect(world.violations()).toEqual(['history: 1 checkpoints are committed beside the thread, as step 3 (stray)']);
    const gone = new Fabricated();
    gone.thread.history.splice(2, 1);
    expect(gone.violations()).toContainEqual('history: checkpoint p5 has the parent p4, which is not there');
    const other = new Fabricated();
    other.thread.state = { ...other.thread.state, checkpointId: 'p5' };
    expect(other.violations()).toContain('history: the state is not what its checkpoint says');
  });
});
