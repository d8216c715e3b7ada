/**
 * Compares durable steps with LangGraph alone, in this process and with a real database.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Command, MemorySaver } from '@langchain/langgraph';
import { MongoClient } from 'mongodb';
import { randomUUID } from 'node:crypto';
import type { LoadedGraph } from '../../agents/index.js';
import { DEFAULT_STEP_OPTIONS, encodeFence, serviceCaller, type Run, type StreamMode } from '../../protocol/index.js';
import { Narrator } from '../../steps/narrator.js';
import { StepProgress } from '../../steps/progress.js';
import { Turn, toWireText, type StepContext } from '../../steps/index.js';
import type { LoggedEvent } from '../../streams/event-batch.js';
import type { NewEvent } from '../../streams/index.js';
import { LargeTexts } from '../../streams/large-texts.js';
import { WholeEvents } from '../../streams/whole-events.js';
import { MongoHeads, MongoSaver, StateCache, StepSaver, ValueTexts, ensureStateIndexes } from '../../threads/index.js';
import { SCENARIOS, type Scenario, type ScenarioTurn } from '../support/graphs.js';
import { MemoryLog } from '../support/memory-log.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db('test_same_as_in_process');
const TENANT = 'default';

beforeAll(async () => {
  await client.connect();
  await ensureStateIndexes(db);
});
afterAll(() => client.close());

interface TurnResult {
  events: string[];
  error?: string;
}

interface Transcript {
  turns: TurnResult[];
  state: unknown;
}

/**
 * Returns a function that makes texts of two executions comparable. It replaces each id by a number
 * in order of first appearance, so equal ids stay equal. It replaces times by a placeholder.
 */
function createNormalizer(): (text: string) => string {
  const ids = new Map<string, string>();
  return (text) =>
    text
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
        if (!ids.has(id)) ids.set(id, `<id ${ids.size}>`);
        return ids.get(id) ?? '';
      })
      .replace(/"[0-9a-f]{32}"/g, (id) => {
        if (!ids.has(id)) ids.set(id, `"<hash ${ids.size}>"`);
        return ids.get(id) ?? '';
      })
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, '<time>')
      .replace(/,?"run_attempt":1|"ls_run_depth":\d+,?/g, '');
}

function options(turn: ScenarioTurn) {
  return {
    ...(turn.interruptBefore && { interruptBefore: turn.interruptBefore }),
    ...(turn.interruptAfter && { interruptAfter: turn.interruptAfter }),
  };
}

async function openQuestions(graph: LoadedGraph, saver: unknown, threadId: string): Promise<string[]> {
  const snapshot = await graph.getState({ configurable: { thread_id: threadId, __pregel_checkpointer: saver } });
  return snapshot.tasks.flatMap((task) => task.interrupts.map((one) => one.id ?? ''));
}

async function inProcess(scenario: Scenario, modes: StreamMode[], subgraphs: boolean): Promise<Transcript> {
  const graph = scenario.graph();
  const saver = new MemorySaver();
  const threadId = randomUUID();
  const normalize = createNormalizer();
  const turns: TurnResult[] = [];
  for (const turn of scenario.turns) {
    const runId = randomUUID();
    const log = new MemoryLog();
    const narrator = new Narrator({
      runId,
      modes,
      subgraphs,
      recursionLimit: turn.recursionLimit ?? 25,
      progress: new StepProgress(graph),
      append: (event) => log.append(event),
      storedValue: () => undefined,
      continued: new Set(),
      isRewriting: false,
    });
    const command = turn.answers ? { resume: turn.answers(await openQuestions(graph, saver, threadId)) } : turn.command;
    const input = command ? new Command(command as never) : turn.input;
    const config = {
      ...options(turn),
      ...(turn.recursionLimit && { recursionLimit: turn.recursionLimit }),
      configurable: {
        thread_id: threadId,
        run_id: runId,
        graph_id: 'g',
        assistant_id: 'a',
        checkpoint_ns: '',
        __pregel_checkpointer: saver,
      },
      metadata: { run_id: runId },
      runId,
      durability: 'sync',
      subgraphs: true,
      streamMode: [
        'tasks',
        'checkpoints',
        'values',
        ...modes
          .filter((mode) => mode !== 'events')
          .map((mode) => (mode === 'messages-tuple' ? 'messages' : mode === 'messages' ? 'values' : mode)),
      ],
    };
    const turnResult: TurnResult = { events: [] };
    try {
      if (modes.includes('events') || modes.includes('messages')) {
        const stream = graph.streamEvents(input as never, { ...config, version: 'v2' } as never);
        for await (const event of stream as unknown as AsyncIterable<never>) narrator.event(event);
      } else {
        for await (const chunk of (await graph.stream(
          input as never,
          config as never,
        )) as unknown as AsyncIterable<never>)
          narrator.chunk(chunk);
      }
    } catch (error) {
      turnResult.error = (error as Error).message;
    }
    turnResult.events = log.events.map((event) => normalize(`${event.event} ${event.data}`));
    turns.push(turnResult);
  }
  const { values } = await graph.getState({ configurable: { thread_id: threadId, __pregel_checkpointer: saver } });
  return { turns, state: normalize(JSON.stringify(values)) };
}

/**
 * Runs the scenario in steps. `staysPaused`: between two steps the graph is paused in memory, as in
 * a process that goes on. Otherwise each step starts the graph from its checkpoint, as after a
 * restart of the process.
 */
export async function stepped(
  scenario: Scenario,
  modes: StreamMode[],
  subgraphs: boolean,
  { joinQuickStepsMs, staysPaused }: { joinQuickStepsMs: number; staysPaused: boolean },
): Promise<Transcript & { steps: number[]; references: number; pauses: number }> {
  const graph = scenario.graph();
  const threadId = randomUUID();
  const normalize = createNormalizer();
  const saver = new MongoSaver({ client, db, tenant: TENANT });
  const heads = new MongoHeads(db);
  const turns: TurnResult[] = [];
  const steps: number[] = [];
  let references = 0;
  let pauses = 0;
  for (const [index, turn] of scenario.turns.entries()) {
    const command = turn.answers ? { resume: turn.answers(await openQuestions(graph, saver, threadId)) } : turn.command;
    const run: Run = {
      tenant: TENANT,
      threadId,
      runId: randomUUID(),
      assistantId: 'a',
      graphId: 'g',
      status: 'pending',
      multitaskStrategy: 'enqueue',
      metadata: {},
      request: {
        config: { ...(turn.recursionLimit && { recursion_limit: turn.recursionLimit }) },
        ...(command ? { command } : { input: turn.input }),
        streamModes: modes,
        streamSubgraphs: subgraphs,
        ...options(turn),
      },
      createdAt: new Date(),
      updatedAt: new Date(),
    };
    const log = new MemoryLog();
    const turnResult: TurnResult = { events: [] };
    // Each step gets a new `StateCache`, so each step reads its state from the database.
    let count = 0;
    let ongoing: Turn | undefined;
    try {
      for (let status = 'continue'; status === 'continue'; ) {
        count += 1;
        const cursor = { head: await heads.readHead(TENANT, threadId), tail: log.events.length };
        const fence = encodeFence({ run: index + 1, step: count, attempt: 1 });
        const request = { run, ordinal: index + 1, attempt: 1, joinQuickStepsMs, options: DEFAULT_STEP_OPTIONS };
        const context: StepContext = {
          openSaver: (hooks) =>
            new StepSaver({
              ...{ client, db, tenant: TENANT, threadId, runId: run.runId, fence, cache: new StateCache() },
              ...cursor,
              ...hooks,
            }),
          fence,
          log,
          signal: new AbortController().signal,
          drain: new AbortController().signal,
        };
        ongoing ??= new Turn(graph, request, context);
        const report = await ongoing.step(request, context);
        status = report.status;
        if (status === 'continue') pauses += Number(ongoing.isPaused);
        if (!staysPaused) await ongoing.abandon();
        if (!ongoing.isPaused) ongoing = undefined;
      }
    } catch (error) {
      turnResult.error = (error as Error).message;
    }
    steps.push(count);
    references += log.events.filter(({ refs }) => refs !== undefined).length;
    turnResult.events = (await wholeEvents(saver, threadId, log.events)).map((event) =>
      normalize(`${event.event} ${event.data}`),
    );
    turns.push(turnResult);
  }
  const { values } = await graph.getState({ configurable: { thread_id: threadId, __pregel_checkpointer: saver } });
  return { turns, state: normalize(JSON.stringify(values)), steps, references, pauses };
}

/**
 * Returns the events as readers of the event log get them: references to values of the state are
 * replaced by these values.
 */
async function wholeEvents(saver: MongoSaver, threadId: string, events: NewEvent[]): Promise<NewEvent[]> {
  const texts = new ValueTexts(toWireText);
  const reader = new WholeEvents(new LargeTexts(db.collection('event_parts'), 0), async (_tenant, _thread, keys) => {
    const found = keys.map(async (key) => [key, await saver.valueText(threadId, key, texts)] as const);
    return new Map(await Promise.all(found));
  });
  await Promise.all(events.flatMap(({ after }) => after ?? []));
  return reader.of(serviceCaller(TENANT, 'test'), events as LoggedEvent[]);
}

const nameless = (event: string) => event.replace(/<id \d+>|"<hash \d+>"/g, '<id>');

/**
 * Returns a transcript that can be compared although parallel subgraphs interleave their events.
 * The events are sorted by subgraph. Those of one subgraph keep their order; those of the root
 * graph are sorted by their text.
 */
function byPlace({ turns, state }: Transcript) {
  const place = (event: string) => /^\S+\|(\w+)/.exec(event)?.[1] ?? '';
  const order = (a: string, b: string) =>
    place(a).localeCompare(place(b)) || (place(a) === '' ? a.localeCompare(b) : 0);
  return { state, turns: turns.map(({ events, error }) => ({ error, events: events.map(nameless).sort(order) })) };
}

/**
 * Checks that the durable steps (`actual`) and LangGraph alone (`expected`) have the same events
 * and states. LangGraph alone drops events right before an error. So if a run fails, `actual` may
 * have more events than `expected`.
 */
function expectSame(actual: Transcript, expected: Transcript, scenario: Scenario): void {
  if (scenario.sideBySide) {
    expect(byPlace(actual)).toEqual(byPlace(expected));
    return;
  }
  if (expected.turns.every((turn) => turn.error === undefined)) {
    expect(actual).toEqual(expected);
    return;
  }
  expect(actual.state).toEqual(expected.state);
  expected.turns.forEach(({ events, error }, i) => {
    const turnResult = actual.turns[i]?.events.map(nameless) ?? [];
    let at = 0;
    const kept = events.map(nameless).filter((event) => (at = turnResult.indexOf(event, at) + 1) > 0);
    expect(kept).toEqual(events.map(nameless));
    expect(actual.turns[i]?.error).toEqual(error);
    if (error === undefined) expect(turnResult).toEqual(kept);
  });
}

export interface Comparison {
  modes: StreamMode[];
  /** Whether each step also starts from its checkpoint, as in a new process. */
  restarts?: boolean;
}

/** Defines a test for each scenario and each comparison. */
export function compareAll(comparisons: Comparison[]): void {
  describe.each(SCENARIOS)('$name', (scenario) => {
    const fitting = comparisons.filter(({ modes }) => !scenario.without?.some((mode) => modes.includes(mode)));
    it.each(fitting)(
      'has the same events and final state in durable steps as with LangGraph alone (stream modes $modes)',
      async ({ modes, restarts = false }) => {
        const compare = async (subgraphs: boolean) => {
          const expected = await inProcess(scenario, modes, subgraphs);
          const failures = expected.turns.map((turn) => turn.error ?? null);
          scenario.turns.forEach((turn, i) =>
            turn.error ? expect(failures[i]).toMatch(turn.error) : expect(failures[i]).toBeNull(),
          );
          const compareSteps = async (how: { joinQuickStepsMs: number; staysPaused: boolean }) => {
            const { steps, references, pauses, ...actual } = await stepped(scenario, modes, subgraphs, how);
            expectSame(actual, expected, scenario);
            if (modes.includes('values')) expect(references > 0).toBe(scenario.long ?? false);
            expect(pauses > 0).toBe(steps.some((count) => count > 1));
            if (how.joinQuickStepsMs > 0) expect(steps).toEqual(scenario.turns.map(() => 1));
          };
          await Promise.all([
            compareSteps({ joinQuickStepsMs: 0, staysPaused: true }),
            ...(restarts && !scenario.live ? [compareSteps({ joinQuickStepsMs: 0, staysPaused: false })] : []),
            compareSteps({ joinQuickStepsMs: 60_000, staysPaused: true }),
          ]);
        };
        await Promise.all([false, true].map(compare));
      },
    );
  });
}
