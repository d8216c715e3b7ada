import { expect, it } from '@jest/globals';
import { describeAnimals } from './animal-suite.js';
import { ANIMALS, REMAINING } from './animals.js';

const VISIT_MS = 120_000;
/** The last animal of the longest lane is awaited as long as the whole suite may take. */
const SUITE_MS = 900_000;

it('every animal has a name of its own', () => {
  expect(new Set(ANIMALS.map(({ name }) => name)).size).toBe(ANIMALS.length);
});

describeAnimals(
  'all animals that are not visited beside the bystanders, several graphs at once on one worker',
  REMAINING,
  { visitMs: VISIT_MS, waitMs: SUITE_MS },
);
