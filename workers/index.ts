/**
 * Composition roots of worker processes. They open the stores, ports and connections of a process
 * in the right order, and close them again. They use every room (top-level folder), and contain no
 * logic of any room.
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
