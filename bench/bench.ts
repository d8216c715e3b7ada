import type { BenchHouse } from './house.js';
import type { Report } from './report.js';

export interface BenchOptions {
  /** Samples (rounds, windows, kills) of each thing that is compared; default: the bench's own number. */
  samples?: number;
}

/** One question, answered on servers of its own. */
export interface Bench {
  name: string;
  question: string;
  run(house: BenchHouse, options: BenchOptions): Promise<Report>;
}
