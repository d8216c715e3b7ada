import type { House } from './house.js';
import type { Report } from './report.js';

export interface BenchOptions {
  /** Samples (rounds, windows, kills) of each thing that is compared; default: the bench's own number. */
  samples?: number;
}

/** One question, answered on servers of its own. */
export interface Bench {
  name: string;
  question: string;
  run(house: House, options: BenchOptions): Promise<Report>;
}
