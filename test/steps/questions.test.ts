import { describe, expect, it } from '@jest/globals';
import { guardDeadline, questionOf } from '../../steps/questions.js';
import { shortNames } from '../../steps/short-names.js';

const withOptions = (colloquy: unknown) => ({ question: 'Well?', colloquy });
const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error('cannot be read');
    },
  },
);
const circular: Record<string, unknown> = {};
circular.self = circular;

/** Values of interrupts without a deadline. */
const NONE: Record<string, unknown> = {
  undefined,
  null: null,
  text: 'x'.repeat(5_000_000),
  bigint: 5n,
  symbol: Symbol('x'),
  function: () => 1,
  hostile,
  circular,
  'hostile options': withOptions(hostile),
  'options that are text': withOptions('soon'),
  'options without a prototype': withOptions(Object.create(null)),
  'empty deadlines': withOptions({ deadline: null, deadline_seconds: undefined }),
  'a deadline in 1,000 years': withOptions({ deadline_seconds: 1_000 * 365 * 86_400 }),
};

/** Deadlines that are refused, and the beginning of the error. */
const REFUSED: [colloquy: object, message: string][] = [
  [{ deadline_seconds: Infinity }, 'colloquy.deadline_seconds in the question of node ask is Infinity; expected'],
  [{ deadline_seconds: 5n }, 'colloquy.deadline_seconds in the question of node ask is 5; expected'],
  [{ deadline_seconds: circular }, 'colloquy.deadline_seconds in the question of node ask is '],
  [{ deadline: hostile }, 'colloquy.deadline in the question of node ask is '],
  [{ deadline: 'x'.repeat(3_000_000) }, 'colloquy.deadline in the question of node ask is "xxx'],
  [{ deadline: 5 }, 'colloquy.deadline in the question of node ask is 5; expected'],
  [{ deadline: new Date(Number.NaN) }, 'colloquy.deadline in the question of node ask is null; expected'],
];

describe('the question of an interrupt', () => {
  it.each(Object.entries(NONE))('has no deadline, and a short preview: %s', (_, value) => {
    expect(() => guardDeadline('ask', value)).not.toThrow();
    const question = questionOf('ask', { id: 'i', value }, true);
    expect(question).toEqual({ id: 'i', node: 'ask', preview: expect.any(String) });
    expect(question.preview?.length).toBeLessThanOrEqual(500);
  });

  it.each(REFUSED)('is refused if its deadline is no time, and is shown without it (case %#)', (colloquy, message) => {
    const value = withOptions(colloquy);
    expect(() => guardDeadline('ask', value)).toThrow(message);
    expect(() => guardDeadline('ask', value)).toThrow(/^.{1,400}$/s);
    expect(questionOf('ask', { id: 'i', value }, false)).toEqual({ id: 'i', node: 'ask' });
  });

  it.each([
    ['text', '2030-01-31T12:00:00Z'],
    ['a date', new Date('2030-01-31T12:00:00Z')],
  ])('has a deadline that is %s', (_, deadline) => {
    const value = withOptions({ deadline, default: 'x'.repeat(3_000_000) });
    expect(() => guardDeadline('ask', value)).not.toThrow();
    const question = questionOf('n'.repeat(3_000_000), { id: 'i', value }, true);
    expect(question).toMatchObject({ deadline: '2030-01-31T12:00:00.000Z' });
    expect(JSON.stringify(question).length).toBeLessThan(2_000);
  });
});

describe('the names in the result of a step', () => {
  it('are cut, and left out if they are too many', () => {
    expect(shortNames(['a', 'b'])).toEqual(['a', 'b']);
    const names = Array.from({ length: 50_000 }, () => 'n'.repeat(100));
    const short = shortNames(names);
    expect(short).toHaveLength(1_001);
    expect(short.at(-1)).toBe('… (49000 more)');
    expect(shortNames(['n'.repeat(3_000_000)])).toEqual([expect.stringMatching(/^n+… \(3,000,000 characters\)$/)]);
  });
});
