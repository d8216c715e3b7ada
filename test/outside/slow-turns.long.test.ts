import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { STREAM_MODES, type StreamMode } from '../../protocol/index.js';
import type { Sides } from './sides.js';
import { JOINS, expectOutcome, expectSameTurns, openSlowSides, type BothSides } from './slow-turns.js';
import { AGENT_CASES, CALL_CASES, type TurnCase } from './turn-cases.js';
import { VALUE_CASES } from './value-cases.js';

/**
 * Stream modes that come from one stream, which LangGraph splits by mode. `tools` is not compared:
 * its events contain messages that get their ids later, so LangGraph alone may show them with an id.
 */
const OF_ONE_STREAM = STREAM_MODES.filter((mode) => !['events', 'messages', 'tools'].includes(mode));

/** All with subgraphs. The normal test runs without. */
const SETS: StreamMode[][] = [OF_ONE_STREAM, ['messages'], ['events']];

const FILES: Record<string, TurnCase[]> = {
  'slow-agents': AGENT_CASES,
  'live-values': VALUE_CASES,
  traced: CALL_CASES,
};

let sides: Sides;
beforeAll(async () => {
  const graphs = (cases: TurnCase[]) => [...new Set(cases.map(({ graph }) => graph))];
  sides = await openSlowSides(Object.fromEntries(Object.entries(FILES).map(([file, all]) => [file, graphs(all)])));
}, 120_000);
afterAll(() => sides.close(), 60_000);

describe.each(Object.values(FILES).flat())('a turn with slow steps: $name', (one) => {
  const talks = new Map<string, BothSides>();
  beforeAll(async () => {
    // The conversations run at the same time, because they mostly wait.
    const all = SETS.map(async (modes) => {
      talks.set(modes.join(), await sides.all({ graph: one.graph, turns: one.turns, modes, subgraphs: true }));
    });
    await Promise.all(all);
  }, 120_000);

  describe.each(SETS.map((modes) => modes.join()))('stream modes %s', (modes) => {
    const talk = () => talks.get(modes) as BothSides;

    it('has the outcome that the case lists, with LangGraph alone', () => {
      expectOutcome(talk(), one);
    });

    it.each(JOINS)(
      'has the same events, state and callbacks as with LangGraph alone, with COLLOQUY_JOIN_QUICK_STEPS_MS=%s',
      (join) => expectSameTurns(talk(), join, one),
    );
  });
});
