import type { Context } from '@temporalio/activity';

/**
 * Shortest interval between heartbeats. Temporal delivers a cancellation with a heartbeat, so this
 * is also the longest delay of a cancellation at the full rate.
 */
const BEAT_MS = 500;
/**
 * Number of steps that can heartbeat at the full rate. With more steps, each step heartbeats less
 * often, because a heartbeat costs Temporal a few ms.
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
