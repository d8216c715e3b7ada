/**
 * A signal that fires with the first of `sources`, for the same reason. `release`, when the work is over, lets go of them; it then fires no more.
 *
 * Not `AbortSignal.any`: in Node.js 20 that leaves a trace at every source for each signal it makes, and keeps one that somebody listens to until
 * it fires, which for sources that live as long as the process is never.
 */
export function firstOf(...sources: AbortSignal[]): { signal: AbortSignal; release: () => void } {
  const first = new AbortController();
  const listeners = sources.map((source) => ({ source, fire: () => fire(source) }));
  const release = () => {
    for (const { source, fire } of listeners) source.removeEventListener('abort', fire);
  };
  function fire(source: AbortSignal): void {
    release();
    first.abort(source.reason);
  }
  for (const { source, fire } of listeners) source.addEventListener('abort', fire);
  const fired = sources.find(({ aborted }) => aborted);
  if (fired !== undefined) fire(fired);
  return { signal: first.signal, release };
}
