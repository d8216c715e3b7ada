import { describe, expect, it } from '@jest/globals';
import { ROUTES } from '../../api/routes.js';
import { truncateRoute } from '../../api/system/truncate.js';
import { guarded } from '../../policy/index.js';
import { ACTIONS, type Authorize, type Caller } from '../../protocol/index.js';
import * as rules from '../../workers/port-rules.js';

const CALLER: Caller = { tenant: 'acme', principal: { kind: 'user', id: 'ada' }, onBehalfOf: [] };
const RUN = ['t', 'r'];
const ITEM = [['n', 'm'], 'k'];

/**
 * An example call for each method of each port interface. `asked` lists the actions and resources
 * for which the rule of the method must ask the policy. The first argument of every call is the
 * caller; `args` are the arguments after it.
 */
const CALLS: Record<keyof typeof rules, Record<string, [args: unknown[], asked: string]>> = {
  THREAD_RULES: {
    createThread: [[{ threadId: 't' }], 'thread.create thread t'],
    getThread: [['t'], 'thread.read thread t'],
    searchThreads: [[{}], 'thread.search thread *'],
    countThreads: [[{}], 'thread.search thread *'],
    updateThread: [['t', {}], 'thread.update thread t'],
    settleThread: [['t', {}], 'thread.update thread t'],
    copyThread: [['t', { copyId: 'c' }], 'thread.read thread t, thread.create thread c'],
    pruneThread: [['t'], 'thread.update thread t'],
    dueThreads: [[{}], 'thread.search thread *'],
    thinnableThreads: [[{}], 'thread.search thread *'],
    thinThread: [[{ threadId: 't' }], 'thread.update thread t'],
    closeThread: [['t'], 'thread.delete thread t'],
    deleteThread: [['t'], 'thread.delete thread t'],
    createRun: [[{ threadId: 't' }], 'run.create thread t'],
    admitRun: [RUN, 'run.admit run r'],
    discardRun: [RUN, 'run.discard run r'],
    getRun: [RUN, 'run.read run r'],
    listRuns: [['t'], 'run.search thread t'],
    activeRuns: [['t'], 'run.search thread t'],
    allActiveRuns: [[], 'run.search thread *'],
    steerRun: [RUN, 'run.create thread t'],
    setCancelReason: [RUN, 'run.cancel run r'],
    startRun: [RUN, 'run.execute run r'],
    endRun: [['t', { runId: 'r' }], 'run.execute run r'],
    unchangedRuns: [[new Date(0)], 'run.search thread *'],
    endLostRun: [[{ threadId: 't', runId: 'r' }], 'run.execute run r'],
    countFailure: [RUN, 'run.execute run r'],
    markSuspect: [RUN, 'run.execute run r'],
    keepError: [RUN, 'run.execute run r'],
    removeRun: [RUN, 'run.execute run r'],
  },
  ASSISTANT_RULES: {
    registerGraphs: [[[]], 'assistant.register assistant *'],
    createAssistant: [[{ assistantId: 'a' }], 'assistant.create assistant a'],
    updateAssistant: [['a'], 'assistant.update assistant a'],
    setLatestVersion: [['a', 1], 'assistant.update assistant a'],
    listVersions: [['a'], 'assistant.read assistant a'],
    deleteAssistant: [['a'], 'assistant.delete assistant a'],
    getAssistant: [['a'], 'assistant.read assistant a'],
    searchAssistants: [[{}], 'assistant.search assistant *'],
  },
  CRON_RULES: {
    createCron: [[{ cronId: 'c' }], 'cron.create cron c'],
    getCron: [['c'], 'cron.read cron c'],
    searchCrons: [[{}], 'cron.search cron *'],
    countCrons: [[{}], 'cron.search cron *'],
    updateCron: [['c'], 'cron.update cron c'],
    settleCron: [['c'], 'cron.update cron c'],
    noteNextRun: [['c'], 'cron.execute cron c'],
    closeCron: [['c'], 'cron.delete cron c'],
    removeCron: [['c'], 'cron.delete cron c'],
    unsettledCrons: [[], 'cron.search cron *'],
  },
  EVENT_RULES: {
    open: [[{ threadId: 't' }], 'event.append thread t'],
    tail: [['t'], 'event.read thread t'],
    read: [['t'], 'event.read thread t'],
    follow: [['t'], 'event.read thread t'],
    append: [['t'], 'event.append thread t'],
    deleteThread: [['t'], 'event.delete thread t'],
  },
  HEAD_RULES: {
    readHead: [['t'], 'state.read thread t'],
    raiseFence: [['t', 'f'], 'run.execute thread t'],
  },
  INJECTION_RULES: {
    readInjections: [['t', []], 'run.search thread t'],
  },
  SAVER_RULES: {
    openReader: [['t'], 'state.read thread t'],
    openEditor: [['t'], 'state.update thread t'],
    openStep: [[{ threadId: 't', runId: 'r' }], 'run.execute run r'],
    rollbackRun: [['t', 'r', 'f'], 'run.execute run r'],
  },
  DELIVERY_RULES: {
    put: [[{ id: 'd' }], 'delivery.put delivery d'],
    get: [['d'], 'delivery.read delivery d'],
    remove: [['d'], 'delivery.remove delivery d'],
    recall: [['t'], 'delivery.remove thread t'],
  },
  ITEM_RULES: {
    getItem: [ITEM, 'item.read item n/m/k'],
    putItems: [
      [
        [
          { namespace: ['n'], key: 'a' },
          { namespace: ['m'], key: 'b' },
        ],
      ],
      'item.write item n/a, item.write item m/b',
    ],
    deleteItem: [ITEM, 'item.delete item n/m/k'],
    searchItems: [[{ namespacePrefix: ['n'] }], 'item.search item n'],
    listNamespaces: [[{}], 'item.search item *'],
    clear: [[], 'item.delete item *'],
  },
  CONVERSATION_RULES: {
    submit: [['t'], 'run.create thread t'],
    cancel: [['t'], 'run.cancel thread t'],
    resume: [['t'], 'run.create thread t'],
    inject: [['t'], 'run.create thread t'],
    edited: [['t'], 'state.update thread t'],
    close: [['t'], 'thread.delete thread t'],
    view: [['t'], 'thread.read thread t'],
    describe: [['t'], 'thread.read thread t'],
    startWebhook: [RUN, 'delivery.put delivery r'],
  },
  SCHEDULE_RULES: {
    put: [[{ cronId: 'c' }], 'cron.update cron c'],
    next: [[{ cronId: 'c' }], 'cron.read cron c'],
    remove: [['c'], 'cron.delete cron c'],
    backfill: [[{ cronId: 'c' }], 'cron.execute cron c'],
  },
  STATE_RULES: {
    getState: [['g', 't'], 'state.read thread t'],
    hasCheckpoint: [['t'], 'state.read thread t'],
    getHistory: [['g', 't'], 'state.read thread t'],
    updateState: [['g', 't'], 'state.update thread t'],
    updateStates: [['g', 't'], 'state.update thread t'],
    finalValues: [[{ threadId: 't' }], 'state.read thread t'],
  },
  GRAPH_RULES: {
    draw: [['g'], 'graph.read graph g'],
    schemas: [['g'], 'graph.read graph g'],
    takesMessages: [['g'], 'graph.read graph g'],
    subgraphs: [['g'], 'graph.read graph g'],
  },
};

describe('the authorization rules of the port interfaces', () => {
  for (const [port, table] of Object.entries(rules)) {
    const calls = CALLS[port as keyof typeof rules];

    it(`name every method of ${port}`, () => {
      expect(Object.keys(table).sort()).toEqual(Object.keys(calls).sort());
    });

    it.each(Object.entries(calls))(`ask for the action and resource: ${port} %s`, async (method, [args, wanted]) => {
      const asked: string[] = [];
      const authorize: Authorize = async (_caller, action, { kind, id }) => {
        asked.push(`${action} ${kind} ${id}`);
      };
      const bare = { [method]: async () => 'done' };
      const whole = Object.fromEntries(Object.keys(table).map((name) => [name, async () => undefined]));
      const safe = guarded({ ...whole, ...bare }, table as never, authorize) as Record<
        string,
        (...all: unknown[]) => unknown
      >;
      expect(await safe[method]?.(CALLER, ...args)).toBe('done');
      expect(asked.join(', ')).toBe(wanted);
    });
  }

  it('together with the routes of the API, use every action of the list ACTIONS and no other action', () => {
    const ofRoutes = [...ROUTES, truncateRoute].map(({ action }) => action);
    const ofPorts = Object.values(CALLS).flatMap((calls) =>
      Object.values(calls).flatMap(([, asked]) => asked.split(', ').map((one) => one.split(' ')[0])),
    );
    expect([...new Set([...ofPorts, ...ofRoutes])].sort()).toEqual([...ACTIONS].sort());
  });
});
