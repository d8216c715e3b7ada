import type { Context } from '@temporalio/activity';

/**
 * Normal interval between two heartbeats of a step, in ms. The interval is shorter if the heartbeat
 * timeout is below four times this value. Temporal delivers a cancellation in its answer to a
 * heartbeat. So a step learns of a cancellation after at most one interval.
 */
const BEAT_MS = 500;
/**
 * Number of concurrent steps up to which every step heartbeats once per `BEAT_MS`. With more steps,
 * each step heartbeats less often, because every heartbeat costs Temporal a few ms.
 */
const STEPS_AT_FULL_BEAT = 20;

/** Sends the heartbeats of all steps in this process. */
export class Heartbeats {
  #steps = 0;

  /**
   * Starts to send heartbeats for an activity, at least four per heartbeat timeout. Returns a
   * function that stops them.
   */
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
