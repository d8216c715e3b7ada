/**
 * Composition roots of worker processes: which parts are opened, in which order, and how they are
 * closed. Knows every room and has no logic of any.
 */
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
