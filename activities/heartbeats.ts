import type { Context } from '@temporalio/activity';

/** The delay of a cancellation, which Temporal delivers with a heartbeat. */
const BEAT_MS = 500;
/**
 * Number of steps that heartbeat at the full rate. With more steps each beats less often, because a
 * heartbeat costs Temporal a few ms.
 */
const STEPS_AT_FULL_BEAT = 20;

/** Heartbeats of all steps in this process. */
export class Heartbeats {
  #steps = 0;

  /** Heartbeats at least four times per heartbeat timeout until the returned function is called. */
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
