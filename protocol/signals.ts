/**
 * A signal that fires when the first of `sources` fires, with its reason. `release` detaches it
 * from the sources; it then never fires.
 *
 * Not `AbortSignal.any`: in Node.js 20 every signal it makes leaves an entry at every source. A
 * signal with a listener is kept until it fires, which for sources that live as long as the process
 * is never.
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
