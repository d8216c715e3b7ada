import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { Sides } from './sides.js';
import { JOINS, expectOutcome, expectSameTurns, openSlowSides, type BothSides } from './slow-turns.js';
import { QUICK_AGENT_CASES, QUICK_CALL_CASES, type TurnCase } from './turn-cases.js';
import { QUICK_VALUE_CASES } from './value-cases.js';

// `slow-turns.long.test.ts` has more graphs, and every stream mode.
const CASES = [...QUICK_AGENT_CASES, ...QUICK_VALUE_CASES, ...QUICK_CALL_CASES];

let sides: Sides;
const talks = new Map<TurnCase, Promise<BothSides>>();
const talkOf = (one: TurnCase) => talks.get(one) as Promise<BothSides>;

beforeAll(async () => {
  sides = await openSlowSides({
    'slow-agents': ['byTool', 'hooked'],
    'live-values': ['untracked', 'values'],
    traced: ['traced', 'asking'],
  });
  // All conversations run at the same time, because they mostly wait.
  for (const one of CASES) {
    talks.set(one, sides.all({ graph: one.graph, turns: one.turns, subgraphs: false }));
  }
  await Promise.all(talks.values());
}, 120_000);
afterAll(() => sides.close(), 60_000);

describe.each(CASES)('a turn with slow steps: $name', (one) => {
  it('has the outcome that the case lists, with LangGraph alone', async () => {
    expectOutcome(await talkOf(one), one);
  });

  it.each(JOINS)(
    'has the same events, state and callbacks as with LangGraph alone, with COLLOQUY_JOIN_QUICK_STEPS_MS=%s',
    async (join) => expectSameTurns(await talkOf(one), join, one),
  );
});
