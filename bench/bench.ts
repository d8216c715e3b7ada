import type { BenchHouse } from './house.js';
import type { Report } from './report.js';

export interface BenchOptions {
  /**
   * How often each compared variant is measured. One sample is, for example, a round, a time
   * window, or a kill of a worker process. Default: each bench has its own number.
   */
  samples?: number;
  /** Folder of another built checkout of Colloquy, for the bench `versus`. */
  tree?: string;
}

/** A benchmark that answers one question by measurements, on servers that are started for it. */
export interface Bench {
  name: string;
  question: string;
  run(house: BenchHouse, options: BenchOptions): Promise<Report>;
}
