/**
 * A signal that fires with the first of `sources`, for the same reason. `release`, when the work is over, lets go of them; it then fires no more.
 *
 * Not `AbortSignal.any`: in Node.js 20 that leaves a trace at every source for each signal it makes, and keeps one that somebody listens to until
 * it fires, which for sources that live as long as the process is never.
 */
export function firstOf(...sources: AbortSignal[]): { signal: AbortSignal; release: () => void } {
  const first = new AbortController();
  const release = () => {
    for (const source of sources) source.removeEventListener('abort', look);
  };
  function look(): void {
    const fired = sources.find(({ aborted }) => aborted);
    if (fired === undefined) return;
    release();
    first.abort(fired.reason);
  }
  for (const source of sources) source.addEventListener('abort', look);
  look();
  return { signal: first.signal, release };
}
