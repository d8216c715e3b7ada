import type { BenchHouse } from './house.js';
import type { Report } from './report.js';

export interface BenchOptions {
  /**
   * Number of samples of each compared thing. A sample is a round, a time window or a kill,
   * depending on the bench. Default: the number that the bench itself chooses.
   */
  samples?: number;
}

/** A benchmark that answers one question by measurements, on servers that are started for it. */
export interface Bench {
  name: string;
  question: string;
  run(house: BenchHouse, options: BenchOptions): Promise<Report>;
}
