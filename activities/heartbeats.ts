import type { Context } from '@temporalio/activity';

/** A cancellation comes back with a heartbeat, and no sooner. */
const BEAT_MS = 500;
/** So many steps of a worker beat that often. More of them beat less often, since each beat costs Temporal a few ms. */
const STEPS_AT_FULL_BEAT = 20;

/** The heartbeats of all steps that run in this process. */
export class Heartbeats {
  #steps = 0;

  /** Beats, four times in a heartbeat timeout at least, until the answered function is called. */
  start(context: Context): () => void {
    const longestMs = (context.info.heartbeatTimeoutMs ?? Infinity) / 4;
    let timer: NodeJS.Timeout;
    const beatLater = () => {
      const beatMs = BEAT_MS * Math.max(1, this.#steps / STEPS_AT_FULL_BEAT);
      timer = setTimeout(beat, Math.min(beatMs, longestMs));
    };
    const beat = () => {
      context.heartbeat();
      beatLater();
    };
    this.#steps += 1;
    beatLater();
    return () => {
      this.#steps -= 1;
      clearTimeout(timer);
    };
  }
}
