/**
 * The event log: stores the events of runs, from which clients stream them. Does not depend on
 * HTTP, graphs or Temporal.
 */
export { createEventLog, ensureIndexes } from './mongo-event-log.js';
export type { MongoEventLogOptions } from './mongo-event-log.js';
export type { EventLog, EventReference, NewEvent, ReadReferences, RunLog, RunLogScope } from './ports.js';
