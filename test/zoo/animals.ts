/** All animals of the zoo, in the order in which they are shown. */
import type { Animal } from './animal.js';
import { CRASHING } from './crashes.js';
import { KEPT } from './kept.js';
import { PRETENDING } from './liars.js';
import { MISBEHAVING } from './manners.js';
import { THROWN } from './thrown.js';

export const ANIMALS: readonly Animal[] = [...MISBEHAVING, ...CRASHING, ...PRETENDING, ...THROWN, ...KEPT];

/** One animal of each kind. All of them would take half an hour beside the bystanders. */
const KINDS = [
  ...['crash spawn', 'crash exit-1', 'crash heap', 'block spawn 12 s', 'block loop 12 s', 'hang deaf', 'hang loop'],
  ...['limit deaf', 'leak buffers 60 MB, 12 turns', 'shout lines 100 MB', 'throws self-cause', 'slow 40 s'],
];

/** The animals that `zoo.long.test.ts` visits while the bystanders converse. */
export const BESIDE_OTHERS = ANIMALS.filter(({ name }) => KINDS.includes(name));
/** All other animals. `remaining.long.test.ts` visits them without bystanders. */
export const REMAINING = ANIMALS.filter(({ name }) => !KINDS.includes(name));
