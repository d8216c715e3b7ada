import type { Conversations, Schedules } from '../conversations/index.js';
import type { DeliveryStore } from '../egress/index.js';
import type { ItemStore } from '../memory/index.js';
import type { PortRules } from '../policy/index.js';
import type { Resource } from '../protocol/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/index.js';
import type { EventLog } from '../streams/index.js';
import type {
  AssistantStore,
  CronStore,
  HeadStore,
  InjectionStore,
  SaverStore,
  ThreadStore,
} from '../threads/index.js';

/**
 * Authorization rules of the port interfaces. The rule of a method consists of an action and a
 * resource, for example `thread.read` and the thread. A caller of the method must be allowed to do
 * this action on this resource. `guarded` wraps a port, so that each call is checked by these
 * rules.
 */

const ALL = '*';
const assistant = (id: string): Resource => ({ kind: 'assistant', id });
const cron = (id: string): Resource => ({ kind: 'cron', id });
const thread = (id: string): Resource => ({ kind: 'thread', id });
const run = (threadId: string, id: string): Resource => ({ kind: 'run', id, threadId });
const delivery = (id: string): Resource => ({ kind: 'delivery', id });
const graph = (id: string): Resource => ({ kind: 'graph', id });
const item = (namespace: readonly string[], key?: string): Resource => ({
  kind: 'item',
  id: [...namespace, ...(key === undefined ? [] : [key])].join('/'),
});
const allAssistants = () => assistant(ALL);
const allCrons = () => cron(ALL);
const allThreads = () => thread(ALL);

export const THREAD_RULES: PortRules<ThreadStore> = {
  createThread: { action: 'thread.create', resource: ({ threadId }) => thread(threadId) },
  getThread: { action: 'thread.read', resource: thread },
  searchThreads: { action: 'thread.search', resource: allThreads },
  countThreads: { action: 'thread.search', resource: allThreads },
  updateThread: { action: 'thread.update', resource: thread },
  settleThread: { action: 'thread.update', resource: thread },
  copyThread: [
    { action: 'thread.read', resource: thread },
    { action: 'thread.create', resource: (_threadId, { copyId }) => thread(copyId) },
  ],
  pruneThread: { action: 'thread.update', resource: thread },
  dueThreads: { action: 'thread.search', resource: allThreads },
  thinnableThreads: { action: 'thread.search', resource: allThreads },
  thinThread: { action: 'thread.update', resource: ({ threadId }) => thread(threadId) },
  closeThread: { action: 'thread.delete', resource: thread },
  deleteThread: { action: 'thread.delete', resource: thread },
  createRun: { action: 'run.create', resource: ({ threadId }) => thread(threadId) },
  admitRun: { action: 'run.admit', resource: run },
  discardRun: { action: 'run.discard', resource: run },
  getRun: { action: 'run.read', resource: run },
  listRuns: { action: 'run.search', resource: thread },
  activeRuns: { action: 'run.search', resource: thread },
  allActiveRuns: { action: 'run.search', resource: allThreads },
  steerRun: { action: 'run.create', resource: thread },
  setCancelReason: { action: 'run.cancel', resource: run },
  startRun: { action: 'run.execute', resource: run },
  endRun: { action: 'run.execute', resource: (threadId, { runId }) => run(threadId, runId) },
  unchangedRuns: { action: 'run.search', resource: allThreads },
  endLostRun: { action: 'run.execute', resource: ({ threadId, runId }) => run(threadId, runId) },
  countFailure: { action: 'run.execute', resource: run },
  markSuspect: { action: 'run.execute', resource: run },
  keepError: { action: 'run.execute', resource: run },
  removeRun: { action: 'run.execute', resource: run },
};

export const ASSISTANT_RULES: PortRules<AssistantStore> = {
  registerGraphs: { action: 'assistant.register', resource: allAssistants },
  createAssistant: { action: 'assistant.create', resource: ({ assistantId }) => assistant(assistantId) },
  updateAssistant: { action: 'assistant.update', resource: assistant },
  setLatestVersion: { action: 'assistant.update', resource: assistant },
  listVersions: { action: 'assistant.read', resource: assistant },
  deleteAssistant: { action: 'assistant.delete', resource: assistant },
  getAssistant: { action: 'assistant.read', resource: assistant },
  searchAssistants: { action: 'assistant.search', resource: allAssistants },
};

export const CRON_RULES: PortRules<CronStore> = {
  createCron: { action: 'cron.create', resource: ({ cronId }) => cron(cronId) },
  getCron: { action: 'cron.read', resource: cron },
  searchCrons: { action: 'cron.search', resource: allCrons },
  countCrons: { action: 'cron.search', resource: allCrons },
  updateCron: { action: 'cron.update', resource: cron },
  settleCron: { action: 'cron.update', resource: cron },
  noteNextRun: { action: 'cron.execute', resource: cron },
  closeCron: { action: 'cron.delete', resource: cron },
  removeCron: { action: 'cron.delete', resource: cron },
  unsettledCrons: { action: 'cron.search', resource: allCrons },
};

export const EVENT_RULES: PortRules<EventLog> = {
  open: { action: 'event.append', resource: ({ threadId }) => thread(threadId) },
  tail: { action: 'event.read', resource: thread },
  read: { action: 'event.read', resource: thread },
  follow: { action: 'event.read', resource: thread },
  append: { action: 'event.append', resource: thread },
  deleteThread: { action: 'event.delete', resource: thread },
};

export const HEAD_RULES: PortRules<HeadStore> = {
  readHead: { action: 'state.read', resource: thread },
  raiseFence: { action: 'run.execute', resource: thread },
};

export const INJECTION_RULES: PortRules<InjectionStore> = {
  readInjections: { action: 'run.search', resource: thread },
};

export const SAVER_RULES: PortRules<SaverStore> = {
  openReader: { action: 'state.read', resource: thread },
  openEditor: { action: 'state.update', resource: thread },
  openStep: { action: 'run.execute', resource: ({ threadId, runId }) => run(threadId, runId) },
  rollbackRun: { action: 'run.execute', resource: run },
};

export const DELIVERY_RULES: PortRules<DeliveryStore> = {
  put: { action: 'delivery.put', resource: ({ id }) => delivery(id) },
  get: { action: 'delivery.read', resource: delivery },
  remove: { action: 'delivery.remove', resource: delivery },
  recall: { action: 'delivery.remove', resource: thread },
};

export const ITEM_RULES: PortRules<ItemStore> = {
  getItem: { action: 'item.read', resource: item },
  putItems: { action: 'item.write', resource: (puts) => puts.map(({ namespace, key }) => item(namespace, key)) },
  deleteItem: { action: 'item.delete', resource: item },
  searchItems: { action: 'item.search', resource: ({ namespacePrefix }) => item(namespacePrefix) },
  listNamespaces: { action: 'item.search', resource: () => item([ALL]) },
  clear: { action: 'item.delete', resource: () => item([ALL]) },
};

export const CONVERSATION_RULES: PortRules<Conversations> = {
  submit: { action: 'run.create', resource: thread },
  cancel: { action: 'run.cancel', resource: thread },
  resume: { action: 'run.create', resource: thread },
  inject: { action: 'run.create', resource: thread },
  edited: { action: 'state.update', resource: thread },
  close: { action: 'thread.delete', resource: thread },
  view: { action: 'thread.read', resource: thread },
  describe: { action: 'thread.read', resource: thread },
  startWebhook: { action: 'delivery.put', resource: (_threadId, runId) => delivery(runId) },
};

export const SCHEDULE_RULES: PortRules<Schedules> = {
  put: { action: 'cron.update', resource: ({ cronId }) => cron(cronId) },
  next: { action: 'cron.read', resource: ({ cronId }) => cron(cronId) },
  remove: { action: 'cron.delete', resource: cron },
  backfill: { action: 'cron.execute', resource: ({ cronId }) => cron(cronId) },
};

export const STATE_RULES: PortRules<StateAccess> = {
  getState: { action: 'state.read', resource: (_graphId, threadId) => thread(threadId) },
  hasCheckpoint: { action: 'state.read', resource: thread },
  getHistory: { action: 'state.read', resource: (_graphId, threadId) => thread(threadId) },
  updateState: { action: 'state.update', resource: (_graphId, threadId) => thread(threadId) },
  updateStates: { action: 'state.update', resource: (_graphId, threadId) => thread(threadId) },
  finalValues: { action: 'state.read', resource: ({ threadId }) => thread(threadId) },
};

export const GRAPH_RULES: PortRules<GraphDescriptions> = {
  draw: { action: 'graph.read', resource: graph },
  schemas: { action: 'graph.read', resource: graph },
  takesMessages: { action: 'graph.read', resource: graph },
  subgraphs: { action: 'graph.read', resource: graph },
};
