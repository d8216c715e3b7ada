/**
 * The event log, from which clients stream the events of runs. Knows no HTTP, graph or Temporal.
 */
export { createEventLog, ensureIndexes } from './mongo-event-log.js';
export type { MongoEventLogOptions } from './mongo-event-log.js';
export type { EventLog, EventReference, NewEvent, ReadReferences, RunLog, RunLogScope } from './ports.js';
