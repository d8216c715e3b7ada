import { expect } from '@jest/globals';
import { Sides } from './sides.js';
import { rootsOf } from './trace.js';
import { byPlace, wordsOf, type Transcript } from './transcript.js';
import type { TurnCase } from './turn-cases.js';

/**
 * Values of `COLLOQUY_JOIN_QUICK_STEPS_MS`. With 0 each superstep is an activity of its own, with
 * 60000 a turn is one activity. With 100, the default, it depends on how slow a superstep is.
 */
export const JOINS = ['0', '100', '60000'] as const;

/** Longer than the default of `COLLOQUY_JOIN_QUICK_STEPS_MS`, so nodes with a model are slow. */
const MODEL_MS = 150;

const FOLDER = 'test/outside/graphs';

/** Opens both sides with the graphs in these files. Key: name of a file. Values: its exports. */
export function openSlowSides(files: Record<string, readonly string[]>): Promise<Sides> {
  const names = [...Object.keys(files), 'recorder'];
  return Sides.open({
    copies: Object.fromEntries(names.map((name) => [`${name}.ts`, `${FOLDER}/${name}.ts`])),
    graphs: Object.fromEntries(
      Object.entries(files).flatMap(([file, all]) => all.map((name) => [name, `./${file}.ts:${name}`])),
    ),
    joins: JOINS,
    modelMs: MODEL_MS,
  });
}

/** How a conversation went on both sides, on Colloquy with each value of {@link JOINS}. */
export type BothSides = Awaited<ReturnType<Sides['all']>>;

/** Checks that turns in steps equal the turns of LangGraph alone. */
export function expectSameTurns({ inProcess, colloquy }: BothSides, join: string, one: TurnCase): void {
  const transcript = colloquy[join] as Transcript;
  const comparable = (any: Transcript) => (one.sideBySide ? byPlace(any) : any) as Transcript;
  const [actual, expected] = [comparable(withoutLost(transcript, inProcess)), comparable(inProcess)];
  // Compared first, because the differences in events are longer.
  const outcome = ({ calls, state }: Transcript) => ({ calls, state });
  expect(outcome(actual)).toEqual(outcome(expected));
  expect(actual).toEqual(expected);
}

/**
 * Checks what a case lists about its conversation. Without these checks, both sides could be wrong
 * in the same way.
 */
export function expectOutcome({ inProcess }: BothSides, { turns, said, state, errors = {}, roots }: TurnCase): void {
  expect(inProcess.turns.map(({ error }) => error)).toEqual(turns.map((_, index) => errors[index]));
  expect(rootsOf(inProcess.calls)).toEqual(roots ?? turns.map(() => 'chain LangGraph: end'));
  if (said) expect(wordsOf(inProcess)).toEqual(said);
  if (state) expect(inProcess.state.values).toMatchObject(state);
}

/**
 * Removes the events that only `transcript` has from each turn that failed. LangGraph drops the
 * events right before an error; Colloquy has them.
 */
function withoutLost(transcript: Transcript, expected: Transcript): Transcript {
  const turns = transcript.turns.map((turn, index) => {
    const kept = expected.turns[index]?.events ?? [];
    if (turn.error === undefined) return turn;
    let at = 0;
    return { ...turn, events: turn.events.filter((event) => event === kept[at] && (at += 1)) };
  });
  return { ...transcript, turns };
}
