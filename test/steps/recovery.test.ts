import { describe, expect, it } from '@jest/globals';
import { CONTROL_EVENTS, NO_FENCE, type Head, type NamespaceHead, type StoredEvent } from '../../protocol/index.js';
import { uncommittedRanges, writtenMessageIds } from '../../steps/index.js';

const RUN = 7;

function event(seq: number, ns = '', name = 'values', data: unknown = {}): StoredEvent {
  return {
    tenant: 't',
    threadId: 'th',
    seq,
    runId: 'r',
    fence: NO_FENCE,
    ns,
    event: name,
    data: JSON.stringify(data),
    at: new Date(0),
  };
}

function head(heads: Record<string, Partial<NamespaceHead>>): Head {
  const full = Object.entries(heads).map(
    ([ns, part]) => [ns, { checkpointId: 'c', run: RUN, step: 1, base: 0, tail: 0, ...part }] as const,
  );
  return { rev: 1, fence: NO_FENCE, heads: Object.fromEntries(full) };
}

describe('the events that a new attempt supersedes', () => {
  it('are all events of the run if the run has committed nothing', () => {
    const old = head({ '': { run: RUN - 1, tail: 3 } });
    expect(uncommittedRanges([event(4), event(5), event(6, 'a:1')], old, RUN)).toEqual([[4, 6]]);
  });

  it('are all events after the last commit of the run', () => {
    expect(uncommittedRanges([event(4), event(5), event(6), event(7)], head({ '': { tail: 5 } }), RUN)).toEqual([
      [6, 7],
    ]);
  });

  it('are, in each checkpoint namespace, the events after the last commit of that namespace', () => {
    const events = [event(4), event(5, 'a:1'), event(6, 'b:1'), event(7, 'a:1'), event(8, 'b:1'), event(9, 'a:1')];
    expect(uncommittedRanges(events, head({ '': { tail: 4 }, 'a:1': { tail: 7 } }), RUN)).toEqual([
      [6, 6],
      [8, 9],
    ]);
  });

  it('do not include events of a subgraph if its parent graph has made a commit after these events', () => {
    expect(uncommittedRanges([event(4, 'a:1'), event(5, 'a:1|b:2'), event(6)], head({ '': { tail: 6 } }), RUN)).toEqual(
      [],
    );
  });

  it('include the ranges in an earlier run.attempt event, and the events between the offset in its `tail` and the event itself', () => {
    const attempt = event(8, '', CONTROL_EVENTS.attempt, { run_id: 'r', attempt: 2, superseded: [[4, 5]], tail: 6 });
    const events = [event(4), event(5), event(6), event(7), attempt, event(9), event(10)];
    expect(uncommittedRanges(events, head({ '': { tail: 9 } }), RUN)).toEqual([
      [4, 5],
      [7, 7],
      [10, 10],
    ]);
  });
});

describe('the ids of the messages that earlier attempts have written', () => {
  it('come from all `messages` events except superseded ones, in all checkpoint namespaces', () => {
    const message = (id: string) => [{ id, content: 'x' }, {}];
    const events = [
      event(4, '', 'messages', message('a')),
      event(5, 'n:1', 'messages|n:1', message('b')),
      event(6, '', 'values', message('c')),
      event(7, '', 'messages', message('d')),
      event(8, '', 'messages', [{ content: 'no id' }, {}]),
    ];
    expect(writtenMessageIds(events, [[7, 7]])).toEqual(new Set(['a', 'b']));
  });
});
