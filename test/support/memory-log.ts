import type { NewEvent, RunLog } from '../../streams/index.js';

/** The event log of one run, kept in memory. */
export class MemoryLog implements RunLog {
  readonly events: NewEvent[] = [];

  append(event: NewEvent): void {
    this.events.push(event);
  }

  flush(): Promise<number> {
    return Promise.resolve(this.events.length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
