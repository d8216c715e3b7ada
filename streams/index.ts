/** The one road back: the event log of runs. Knows no HTTP, no graph, no Temporal. */
export type { EventLog, NewEvent, RunLog, RunLogScope } from './ports.js';
