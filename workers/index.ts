/**
 * Composition roots of worker processes: this code opens the stores and connections of a process in
 * the right order, connects the rooms (top-level folders) with each other, and closes everything at
 * the end. It contains no logic of any room.
 */
export { connectTemporal, ensureSearchAttributes } from './temporal.js';
export { openStores } from './stores.js';
export type { Stores } from './stores.js';
export { startWorker } from './main.js';
export type { RunningWorker, WorkerOverrides } from './main.js';
export { MongoOutbox } from './mongo-outbox.js';
