import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Annotation, StateGraph } from '@langchain/langgraph';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { LRUCache } from 'lru-cache';
import { workerCaller, type ActivityDependencies, type Executors } from '../../activities/deps.js';
import { createRunStep } from '../../activities/run-step.js';
import { PausedTurns, StepAttempt, type AttemptDependencies } from '../../executors/index.js';
import { CONTROL_EVENTS, DEFAULT_STEP_OPTIONS, type Run } from '../../protocol/index.js';
import { StateCache, type ThreadStore } from '../../threads/index.js';
import type { StepOutcome } from '../../workflows/contract.js';
import { openStores, type Stores } from '../../workers/stores.js';
import { newGate } from '../support/gate.js';

const TENANT = 'default';
const CALLER = workerCaller(TENANT);
const State = Annotation.Root({ text: Annotation<string> });
const greeter = new StateGraph(State)
  .addNode('greet', () => ({ text: 'hello' }))
  .addEdge('__start__', 'greet')
  .compile();

/** Returns a graph of three nodes. Each node fails `times` times with status 503, then succeeds. */
function failingGraph(times: number) {
  const failures = new Map<string, number>();
  const node = (name: string) => (): { text: string } => {
    const failed = failures.get(name) ?? 0;
    failures.set(name, failed + 1);
    if (failed < times) throw Object.assign(new Error(`${name} is overloaded`), { status: 503 });
    return { text: name };
  };
  return new StateGraph(State)
    .addNode('one', node('one'))
    .addNode('two', node('two'))
    .addNode('three', node('three'))
    .addEdge('__start__', 'one')
    .addEdge('one', 'two')
    .addEdge('two', 'three')
    .compile();
}

/** Replaces methods of the thread store, so that a test can delay their calls or make them fail. */
type Wrap = (threads: ThreadStore) => ThreadStore;

describe('attempts of a step', () => {
  let stores: Stores;
  const gates: ReturnType<typeof newGate>[] = [];
  const steps: Promise<StepOutcome>[] = [];

  beforeAll(async () => {
    const uri = process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '';
    stores = await openStores({
      mongo: { uri, isGiven: true, database: `attempts_${process.pid}` },
      retention: { eventsMs: 3_600_000 },
    });
  });
  afterEach(async () => {
    for (const { open } of gates.splice(0)) open();
    await Promise.allSettled(steps.splice(0));
  });
  afterAll(async () => {
    await stores.db.dropDatabase();
    await stores.close();
  });

  async function newRun(): Promise<{ threadId: string; runId: string }> {
    const [threadId, runId] = [randomUUID(), randomUUID()];
    await stores.threads.createThread(CALLER, { threadId });
    await stores.threads.createRun(CALLER, {
      threadId,
      runId,
      assistantId: randomUUID(),
      graphId: 'greeter',
      multitaskStrategy: 'enqueue',
      metadata: {},
      request: { input: { text: 'hi' }, config: {}, streamModes: ['values'], streamSubgraphs: false },
    });
    return { threadId, runId };
  }

  function step(
    run: { threadId: string; runId: string },
    attempt: number,
    wrap: Wrap = (threads) => threads,
    graph: object = greeter,
  ) {
    const dependencies = {
      ...stores,
      threads: wrap(stores.threads),
      project: { load: async () => graph },
      cache: new StateCache(1_000_000),
      drain: new AbortController().signal,
      showsQuestions: false,
      stopGraceMs: 1_000,
    } as unknown as AttemptDependencies;
    const shared = { runs: new LRUCache<string, Run>({ max: 10 }), turns: new PausedTurns() };
    const executors: Pick<Executors, 'runStep'> = {
      runStep: (task, attempt, { signal }) => new StepAttempt(dependencies, shared, task, attempt, signal).execute(),
    };
    const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
    const task = { ...run, tenant: TENANT, graphId: 'greeter', ordinal: 1, step: 1, joinQuickStepsMs: 60_000 };
    const ran: Promise<StepOutcome> = environment.run(
      createRunStep({ ...dependencies, executors } as unknown as ActivityDependencies),
      {
        ...task,
        options: DEFAULT_STEP_OPTIONS,
      },
    );
    steps.push(ran);
    return ran;
  }

  function gate(): ReturnType<typeof newGate> {
    const gate = newGate();
    gates.push(gate);
    return gate;
  }

  /**
   * Starts the first attempt, and waits until it has committed its last checkpoint and is about to
   * end the run. The attempt ends the run only after the test opens `mayEnd`.
   */
  async function firstAtItsEnd(run: { threadId: string; runId: string }) {
    const [reached, mayEnd] = [gate(), gate()];
    const first = step(run, 1, (threads) => ({
      ...threads,
      endRun: async (...args) => {
        reached.open();
        await mayEnd.opened;
        return threads.endRun(...args);
      },
    }));
    await reached.opened;
    return { first, mayEnd };
  }

  async function eventNames({ threadId }: { threadId: string }): Promise<string[]> {
    return (await stores.events.read(CALLER, threadId, { afterSeq: 0 })).map(({ event }) => event);
  }

  async function statuses({ threadId, runId }: { threadId: string; runId: string }): Promise<string[]> {
    const run = await stores.threads.getRun(CALLER, threadId, runId);
    const thread = await stores.threads.getThread(CALLER, threadId);
    return [run.status, thread.status];
  }

  it('an attempt fails and does not end the run if a later attempt has taken over with a higher fence', async () => {
    const run = await newRun();
    const { first, mayEnd } = await firstAtItsEnd(run);
    const [hasStarted, mayGoOn] = [gate(), gate()];
    const second = step(run, 2, (threads) => ({
      ...threads,
      startRun: async (...args) => {
        const isRunning = await threads.startRun(...args);
        hasStarted.open();
        await mayGoOn.opened;
        return isRunning;
      },
    }));
    await hasStarted.opened;
    mayEnd.open();
    const failure: unknown = await first.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'fence_lost', nonRetryable: true });
    expect(await statuses(run)).toEqual(['running', 'busy']);
    expect(await eventNames(run)).not.toContain(CONTROL_EVENTS.ended);
    mayGoOn.open();
    expect((await second).status).toBe('success');
    expect(await statuses(run)).toEqual(['success', 'idle']);
    const events = await eventNames(run);
    expect(events.filter((event) => event === CONTROL_EVENTS.ended)).toHaveLength(1);
    expect(events.slice(events.indexOf(CONTROL_EVENTS.attempt))).toEqual([
      CONTROL_EVENTS.attempt,
      'values',
      CONTROL_EVENTS.ended,
    ]);
  });

  it('a second attempt changes nothing if the first attempt has ended the run', async () => {
    const run = await newRun();
    const { first, mayEnd } = await firstAtItsEnd(run);
    const [hasRead, mayStart] = [gate(), gate()];
    const second = step(run, 2, (threads) => ({
      ...threads,
      startRun: async (...args) => {
        hasRead.open();
        await mayStart.opened;
        return threads.startRun(...args);
      },
    }));
    await hasRead.opened;
    mayEnd.open();
    expect((await first).status).toBe('success');
    const before = await eventNames(run);
    expect(before.at(-1)).toBe(CONTROL_EVENTS.ended);
    mayStart.open();
    const outcome = await second;
    expect(outcome).toMatchObject({ status: 'success', cursor: { tail: before.length } });
    expect(await eventNames(run)).toEqual(before);
    expect(await statuses(run)).toEqual(['success', 'idle']);
  });

  it('a second attempt updates the thread if the first attempt died after it had updated only the run', async () => {
    const run = await newRun();
    const first = step(run, 1, (threads) => ({
      ...threads,
      endRun: async () => {
        await stores.db.collection('runs').updateOne({ runId: run.runId }, { $set: { status: 'success' } });
        throw new Error('the process was killed');
      },
    }));
    await expect(first).rejects.toThrow('the process was killed');
    expect(await statuses(run)).toEqual(['success', 'busy']);
    expect((await step(run, 2)).status).toBe('success');
    expect(await statuses(run)).toEqual(['success', 'idle']);
    expect((await eventNames(run)).at(-1)).toBe(CONTROL_EVENTS.ended);
  });

  it('failed attempts are counted for each superstep, even if one activity runs several supersteps', async () => {
    const run = await newRun();
    const graph = failingGraph(4);
    const ends: string[] = [];
    for (let attempt = 1; attempt <= 13; attempt += 1) {
      const end = step(run, attempt, undefined, graph).then(
        ({ status }) => status,
        (error: unknown) => `${(error as Error).message}, ${(error as ApplicationFailure).nonRetryable}`,
      );
      ends.push(await end);
    }
    const overloaded = (name: string) => Array.from({ length: 4 }, () => `${name} is overloaded, false`);
    expect(ends).toEqual([...overloaded('one'), ...overloaded('two'), ...overloaded('three'), 'success']);
  });

  it('the fifth failed attempt of one superstep is the last one: its error is not retryable', async () => {
    const run = await newRun();
    const graph = failingGraph(5);
    for (let attempt = 1; attempt <= 4; attempt += 1)
      await expect(step(run, attempt, undefined, graph)).rejects.toMatchObject({ nonRetryable: false });
    await expect(step(run, 5, undefined, graph)).rejects.toMatchObject({ type: 'GraphFailed', nonRetryable: true });
  });
});
