/** The one road back: the event log of runs. Knows no HTTP, no graph, no Temporal. */
export { createEventLog, ensureIndexes } from './mongo-event-log.js';
export type { MongoEventLogOptions } from './mongo-event-log.js';
export type { EventLog, EventReference, NewEvent, ReadReferences, RunLog, RunLogScope } from './ports.js';
