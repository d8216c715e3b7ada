import type { BenchHouse } from './house.js';
import type { Report } from './report.js';

export interface BenchOptions {
  /**
   * Number of samples (rounds, windows, kills) for each compared thing. Default: that of the bench.
   */
  samples?: number;
}

/** One question, answered on the bench's own servers. */
export interface Bench {
  name: string;
  question: string;
  run(house: BenchHouse, options: BenchOptions): Promise<Report>;
}
