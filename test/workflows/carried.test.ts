import { describe, expect, it } from '@jest/globals';
import { DEFAULT_SETTINGS } from '../../workflows/contract.js';
import type { CarriedState, SubmitRun } from '../../workflows/contract.js';
import { ConversationQueue } from '../../workflows/queue.js';
import { asks, cursorAt } from './script.js';

const START = Date.parse('2026-01-01T00:00:00Z');

function makeQueue(carried?: CarriedState) {
  const input = { tenant: 'acme', threadId: 't', settings: DEFAULT_SETTINGS, ...(carried && { carried }) };
  return new ConversationQueue(input, () => START);
}

/** Returns the queue of the next workflow execution. */
function continued(carried: CarriedState) {
  return makeQueue(JSON.parse(JSON.stringify(carried)) as CarriedState);
}

function run(runId: string, key?: string): SubmitRun {
  return { runId, graphId: 'graph', assistantId: 'assistant', strategy: 'enqueue', ...(key && { key }) };
}

/** Returns a queue whose run `asker` has ended with the question `i1`. */
function askedQueue() {
  const queue = makeQueue();
  queue.submit(run('asker'));
  const current = queue.take();
  queue.begin(current);
  queue.stepped(current, asks({ id: 'i1' }));
  return queue;
}

describe('the state that continue-as-new carries over', () => {
  it('restores the conversation without any difference', () => {
    const queue = askedQueue();
    queue.notes.add('something happened');
    queue.submit(run('r1', 'k'));
    const carried = queue.carry();
    const next = continued(carried);
    expect(next.carry()).toEqual(carried);
    expect(next.view()).toEqual(queue.view());
    expect(carried).toMatchObject({
      turns: 1,
      queue: [{ runId: 'r1', graphId: 'graph', assistantId: 'assistant' }],
      admitted: [['asker'], ['r1', 'k']],
      status: 'interrupted',
      last: { runId: 'asker', status: 'interrupted' },
      notes: [{ at: '2026-01-01T00:00:00.000Z', text: 'something happened' }],
    });
  });

  it('restores the current run between two of its steps', () => {
    const queue = askedQueue();
    queue.submit(run('r1'));
    const current = queue.take();
    queue.begin(current);
    current.step = 1;
    const nextOptions = { ...current.options, taskQueue: 'gpu' };
    queue.stepped(current, { status: 'continue', nodes: [], next: ['tools'], nextOptions, cursor: cursorAt(7) });
    queue.edited({ closed: ['i2'], status: 'idle' });
    queue.cancel({ runIds: ['r1'], action: 'rollback' });
    const carried = queue.carry();
    expect(carried).toMatchObject({
      current: {
        run: { runId: 'r1', cancelled: 'rollback' },
        ...{ ordinal: carried.ordinal, step: 1, nodes: ['tools'], options: { taskQueue: 'gpu' } },
        questionsBefore: [{ id: 'i1' }],
      },
      edits: [{ closed: ['i2'], status: 'idle' }],
      cursor: cursorAt(7),
      interrupts: [],
    });
    const next = continued(carried);
    expect(next.carry()).toEqual(carried);
    expect(next.view()).toEqual(queue.view());
    expect([next.hasWork, next.isOver]).toEqual([true, false]);
  });

  it('contains only the last ten notes (reports of failures), each shortened to 300 characters', () => {
    const queue = makeQueue();
    for (let n = 1; n <= 12; n += 1) queue.notes.add(`${n}`.padEnd(400, '.'));
    const { notes } = queue.view();
    expect(notes).toHaveLength(10);
    expect(notes[0]?.text).toMatch(/^3\.+…$/);
    expect(notes[0]?.text).toHaveLength(300);
  });
});
