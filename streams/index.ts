/** The one road back: the event log of runs. Knows no HTTP, no graph, no Temporal. */
export { createEventLog, ensureIndexes } from './mongo-event-log.js';
export type { MongoEventLogOptions } from './mongo-event-log.js';
export type { EventLog, NewEvent, RunLog, RunLogScope } from './ports.js';
