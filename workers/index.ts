/**
 * Composition roots of worker processes. They open the parts of a process in the right order, and
 * close them again. They know every room, and contain no logic of any room.
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
