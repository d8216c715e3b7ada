import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { firstOf } from '../../protocol/index.js';

const listeners = (...sources: AbortSignal[]) => sources.map((source) => getEventListeners(source, 'abort').length);

describe('an abort signal that combines several signals', () => {
  it('fires once, with the reason of the first source that fires, and then detaches from all sources', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const { signal } = firstOf(one.signal, other.signal);
    let fired = 0;
    signal.addEventListener('abort', () => (fired += 1));
    expect([signal.aborted, ...listeners(one.signal, other.signal)]).toEqual([false, 1, 1]);
    other.abort('other');
    one.abort('one');
    expect([signal.reason, fired]).toEqual(['other', 1]);
    expect(listeners(one.signal, other.signal)).toEqual([0, 0]);
  });

  it('has already fired if one of its sources had fired before', () => {
    const one = new AbortController();
    const { signal } = firstOf(one.signal, AbortSignal.abort('before'));
    expect([signal.aborted, signal.reason, ...listeners(one.signal)]).toEqual([true, 'before', 0]);
  });

  it('never fires after a call of release()', () => {
    const one = new AbortController();
    const { signal, release } = firstOf(one.signal);
    release();
    one.abort();
    expect([signal.aborted, ...listeners(one.signal)]).toEqual([false, 0]);
  });
});
