/**
 * Records the workflow histories of conversations that `replay.test.ts` replays, one for each main
 * path of the workflow. Run this program when the workflow has a path that no recorded history has,
 * and commit the new histories. Keep the old ones: conversations that are still running have such
 * histories.
 *
 *     COLLOQUY_TEST_TEMPORAL_ADDRESS=127.0.0.1:7233 npx tsx test/histories/record.ts NAME [PATH...]
 *
 * NAME is the folder for the histories. Default: the date. PATH is a key of `PATHS`. Default: all
 * paths.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { FAILURES } from '../../workflows/contract.js';
import { createWorld } from '../workflows/world.js';
import type { Talk, World } from '../workflows/world.js';
import { asks, done, gate, goOn } from '../workflows/script.js';
import { writeHistory } from './files.js';

type Path = (world: World) => Promise<Talk>;

const PATHS: Record<string, Path> = {
  async 'turns-by-update-and-signal'(world) {
    const talk = world.talk();
    for (const id of ['r1', 'r2']) talk.steps.set(id, (task) => (task.step < 3 ? goOn(task) : done(task)));
    await talk.submit('r1', { key: 'k1' });
    await talk.submit('r2', { key: 'k1' });
    await talk.submit('r2');
    await talk.signal('message', { input: 'hello', key: 'k2' });
    await talk.until((view) => view.turns === 3);
    return talk;
  },
  async 'questions-and-answers'(world) {
    const talk = world.talk();
    talk.steps.set('r1', () => asks({ id: 'i1' }, { id: 'i2' }));
    talk.otherSteps = (task) => (talk.recorded.length < 2 ? asks({ id: 'i2' }) : done(task));
    await talk.submit('r1');
    await talk.until((view) => view.interrupts.length === 2);
    await talk.resume({ interruptId: 'i1', value: 'approve' });
    await talk.until((view) => view.interrupts.length === 1 && view.status === 'interrupted');
    await talk.signal('resume', 'approve');
    await talk.until((view) => view.status === 'idle');
    return talk;
  },
  async 'default-answer-and-abandoned-question'(world) {
    const talk = world.talk();
    const deadline = new Date(Date.now() + 700).toISOString();
    talk.steps.set('r1', () => asks({ id: 'i1', deadline }));
    talk.steps.set('r2', () => asks({ id: 'i2', deadline: '2999-01-01T00:00:00Z' }));
    await talk.submit('r1');
    await talk.until((view) => view.turns === 2 && view.status === 'idle');
    await talk.submit('r2');
    await talk.until((view) => view.status === 'interrupted');
    await talk.submit('r3');
    await talk.until((view) => view.last?.runId === 'r3');
    return talk;
  },
  async 'interrupted-and-rolled-back'(world) {
    const talk = world.talk();
    for (const id of ['r1', 'r3']) talk.steps.set(id, gate().step);
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.call((call) => call.name === 'runStep');
    await talk.submit('r3', { strategy: 'interrupt' });
    await talk.call((call) => call.name === 'runStep' && call.task.runId === 'r3');
    await talk.submit('r4', { strategy: 'rollback' });
    await talk.until((view) => view.last?.runId === 'r4');
    return talk;
  },
  async 'cancelled-while-waiting'(world) {
    const talk = world.talk();
    const { step, open } = gate();
    talk.steps.set('r1', async (task) => (task.step === 1 ? (await step(task), goOn(task)) : done(task)));
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.signal('message', 'hello');
    await talk.until((view) => view.queue.length === 2);
    const { queue } = await talk.state();
    await talk.cancel({ runIds: queue, action: 'interrupt' });
    open();
    await talk.until((view) => view.last?.runId === 'r1');
    return talk;
  },
  async 'failed-and-bad-signals'(world) {
    const talk = world.talk();
    talk.steps.set('r1', () => {
      throw ApplicationFailure.create({ type: FAILURES.graph, details: [{ error: 'TypeError', message: 'no' }] });
    });
    talk.steps.set('r2', (task) => {
      if (task.ordinal > 3_000_000_000) return done(task);
      throw ApplicationFailure.create({ type: FAILURES.fence, details: ['3000000000.0000001.00001'] });
    });
    await talk.submit('r1');
    await talk.signal('resume');
    await talk.handle.signal('unheard', 1);
    await talk.submit('r2');
    await talk.until((view) => view.last?.runId === 'r2');
    talk.record = () => ({ refused: 'no assistant' });
    await talk.signal('message', 'hello');
    await talk.until((view) => view.notes.length === 3);
    return talk;
  },
  async closed(world) {
    const talk = world.talk();
    talk.steps.set('r1', gate().step);
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.call((call) => call.name === 'runStep');
    await talk.close();
    await talk.handle.result();
    return talk;
  },
  async 'cancelled-workflow'(world) {
    const talk = world.talk();
    talk.steps.set('r1', gate().step);
    await talk.submit('r1');
    await talk.call((call) => call.name === 'runStep');
    await talk.handle.cancel();
    await talk.handle.result().catch(() => undefined);
    return talk;
  },
  async ephemeral(world) {
    const talk = world.talk({ ephemeral: true });
    await talk.submit('r1');
    await talk.handle.result();
    return talk;
  },
  async 'continued-as-new'(world) {
    const talk = world.talk({ settings: { maxTurns: 1 } });
    const { step, open } = gate();
    talk.steps.set('r1', async (task) => {
      await step(task);
      return asks({ id: 'i1', deadline: '2999-01-01T00:00:00Z' });
    });
    await talk.submit('r1', { key: 'k1' });
    await talk.signal('message', { input: 'hello', key: 'k2' });
    await talk.until((view) => view.queue.length === 1);
    open();
    await talk.until((view) => view.turns === 2 && view.status === 'idle');
    return talk;
  },
  async 'delayed-runs'(world) {
    const talk = world.talk();
    const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
    await talk.submit('r1', { notBefore: inMs(3_600_000) });
    await talk.submit('r2', { notBefore: inMs(1_000) });
    await talk.submit('r3');
    await talk.until((view) => view.last?.runId === 'r2');
    await talk.cancel({ runIds: ['r1'], action: 'interrupt' });
    await talk.until((view) => view.last?.runId === 'r1');
    return talk;
  },
  async 'delayed-run-over-a-continued-history'(world) {
    const talk = world.talk({ settings: { maxTurns: 1 } });
    await talk.submit('r1', { notBefore: new Date(Date.now() + 1_500).toISOString() });
    await talk.submit('r2');
    await talk.until((view) => view.last?.runId === 'r1');
    return talk;
  },
  async steered(world) {
    const talk = world.talk();
    const [first, second] = [gate(), gate()];
    talk.steps.set('r1', async (task) => {
      if (task.step > 1) return (await second.step(task), { ...done(task), injected: ['m1'] });
      return (await first.step(task), goOn(task));
    });
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.inject('m1');
    await talk.inject('m1');
    first.open();
    await talk.call((call) => call.name === 'runStep' && call.task.step === 2);
    await talk.inject('m2');
    second.open();
    await talk.until((view) => view.last?.runId === 'r2');
    return talk;
  },
  async 'steered-over-a-question-and-a-rollback'(world) {
    const talk = world.talk({ settings: { maxTurns: 1 } });
    const [first, second] = [gate(), gate()];
    talk.steps.set('r1', async (task) => (await first.step(task), asks({ id: 'i1' })));
    talk.steps.set('r2', second.step);
    await talk.submit('r1');
    await talk.inject('m1');
    first.open();
    await talk.until((view) => view.status === 'interrupted');
    await talk.submit('r2');
    await talk.call((call) => call.name === 'runStep' && call.task.runId === 'r2');
    await talk.cancel({ runIds: ['r2'], action: 'rollback' });
    await talk.until((view) => view.last?.runId === 'r2');
    return talk;
  },
  async 'continued-between-steps'(world) {
    const talk = world.talk({ settings: { maxSteps: 1 } });
    const { step, open } = gate();
    talk.steps.set('r1', async (task) => {
      if (task.step === 1) return (await step(task), goOn(task));
      return task.step < 4 ? { ...goOn(task), injected: ['m1'] } : done(task);
    });
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.signal('message', 'hello');
    await talk.submit('r3', { notBefore: '2999-01-01T00:00:00Z' });
    await talk.inject('m1');
    await talk.until((view) => view.queue.length === 2);
    const { queue } = await talk.state();
    await talk.cancel({ runIds: ['r2'], action: 'interrupt' });
    open();
    await talk.until((view) => view.last?.runId === queue[1]);
    return talk;
  },
  async 'cancelled-between-steps'(world) {
    const talk = world.talk({ settings: { maxSteps: 1 } });
    const [step, record] = [gate(), gate()];
    talk.steps.set('r1', async (task) => (await step.step(task), goOn(task)));
    talk.record = async ({ runId }) => {
      await record.opened;
      return { runId, graphId: 'graph', assistantId: 'assistant', duplicate: false };
    };
    await talk.submit('r1');
    await talk.submit('r2');
    await talk.signal('message', 'hello');
    await talk.until((view) => view.queue.length === 2);
    step.open();
    await talk.call((call) => call.name === 'recordRun');
    await talk.cancel({ runIds: ['r1', 'r2'], action: 'rollback' });
    record.open();
    await talk.until((view) => view.turns === 2 && view.status === 'idle');
    return talk;
  },
  async 'edited-and-answered-between-steps'(world) {
    const talk = world.talk({ settings: { maxSteps: 1 } });
    const { step, open } = gate();
    talk.steps.set('r1', async (task) => {
      if (task.step === 1) return (await step(task), goOn(task));
      return asks({ id: 'i1' }, { id: 'i2', deadline: '2999-01-01T00:00:00Z' });
    });
    talk.otherSteps = (task) => (task.step < 3 ? goOn(task) : done(task));
    await talk.submit('r1');
    await talk.signal('edited', { closed: ['i1'], status: 'interrupted' });
    await talk.signal('cancel', 'none');
    await talk.call((call) => call.name === 'runStep');
    open();
    await talk.until((view) => view.status === 'interrupted');
    await talk.settled();
    await talk.resume({ value: 'yes' });
    await talk.until((view) => view.turns === 2 && view.status === 'idle');
    return talk;
  },
  async webhooks(world) {
    const talk = world.talk({ settings: { maxTurns: 2 } });
    const ids = ['r1', 'r2', 'r3'].map((run) => `${run}-${talk.threadId}`);
    for (const id of ids) await talk.submit(id, { webhook: true });
    for (const id of ids) await talk.call((call) => call.name === 'deliverWebhook' && call.task.runId === id);
    await talk.until((view) => view.last?.runId === ids[2]);
    return talk;
  },
};

const [, , folder, ...wanted] = process.argv;
const name = folder ?? new Date().toISOString().slice(0, 10);
mkdirSync(join(import.meta.dirname, name), { recursive: true });
const world = await createWorld({ maxTurns: 0 });
try {
  for (const [path, walk] of Object.entries(PATHS)) {
    if (wanted.length > 0 && !wanted.includes(path)) continue;
    const talk = await walk(world);
    for (const [index, history] of (await talk.histories()).entries()) {
      const file = `${name}/${path}${index === 0 ? '' : `-${index + 1}`}.json`;
      writeHistory(file, history);
      console.log(`${file}: ${history.events?.length} events`);
    }
  }
} finally {
  await world.close();
}
