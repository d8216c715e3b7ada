import { describe, expect, it } from '@jest/globals';
import { CONTROL_EVENTS, NO_FENCE, SupersededEvents, type StoredEvent } from '../../protocol/index.js';

function event(seq: number, runId: string, name = 'values', data: unknown = {}): StoredEvent {
  return {
    tenant: 'acme',
    threadId: 't',
    seq,
    runId,
    fence: NO_FENCE,
    ns: '',
    event: name,
    data: JSON.stringify(data),
    at: new Date(0),
  };
}

function attempt(seq: number, runId: string, superseded: [number, number][], tail: number): StoredEvent {
  return event(seq, runId, CONTROL_EVENTS.attempt, { run_id: runId, attempt: 2, superseded, tail });
}

function supersededOffsets(events: StoredEvent[]): number[] {
  const superseded = new SupersededEvents();
  superseded.note(events);
  return events.filter((stored) => superseded.has(stored)).map(({ seq }) => seq);
}

describe('events that a later attempt supersedes', () => {
  it('are the events in the ranges that the later attempt names', () => {
    const events = [event(1, 'a'), event(2, 'a'), event(3, 'a'), attempt(4, 'a', [[2, 3]], 3), event(5, 'a')];
    expect(supersededOffsets(events)).toEqual([2, 3]);
  });

  it('include events that the earlier attempt wrote after the later attempt had read the log', () => {
    expect(supersededOffsets([event(1, 'a'), event(2, 'a'), attempt(3, 'a', [], 1)])).toEqual([2]);
  });

  it('add up over several attempts', () => {
    const events = [event(1, 'a'), attempt(2, 'a', [[1, 1]], 1), event(3, 'a'), attempt(4, 'a', [[3, 3]], 3)];
    expect(supersededOffsets(events)).toEqual([1, 3]);
  });

  it('do not include events of other runs, or events that belong to no run', () => {
    const events = [event(1, 'a'), event(2, ''), event(3, 'b'), attempt(4, 'a', [[1, 1]], 1)];
    expect(supersededOffsets(events)).toEqual([1]);
  });
});
