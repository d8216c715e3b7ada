/** All animals of the zoo, in the order in which they are shown. */
import type { Animal } from './animal.js';
import { CRASHING } from './crashes.js';
import { KEPT } from './kept.js';
import { PRETENDING } from './liars.js';
import { MISBEHAVING } from './manners.js';
import { THROWN } from './thrown.js';

export const ANIMALS: readonly Animal[] = [...MISBEHAVING, ...CRASHING, ...PRETENDING, ...THROWN, ...KEPT];
