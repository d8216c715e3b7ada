/** Composition roots of processes that do the work: what is opened, in which order, and how it ends. Knows every room and holds no logic of any. */
export { connectTemporal, ensureSearchAttributes, temporalOptions } from './temporal.js';
export { openConversations } from './conversations.js';
export { feedbackAddresses } from './feedback.js';
export { openGraphs, openStates } from './graphs.js';
export { openItems } from './items.js';
export { lastConfigOf, openStores } from './stores.js';
export type { Stores } from './stores.js';
export { startWorker } from './main.js';
export type { RunningWorker, WorkerOverrides } from './main.js';
export { MongoOutbox } from './mongo-outbox.js';
