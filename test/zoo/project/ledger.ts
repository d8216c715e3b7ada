/**
 * The file in which nodes record that they were executed. A test reads it to count the executions,
 * because the records of a run show only the attempts that the platform knows about.
 */
import { appendFileSync } from 'node:fs';
import { Annotation, type LangGraphRunnableConfig } from '@langchain/langgraph';

/** Taken before any node can replace it. */
const now = Date.now;

/** The input of most animals. `how` selects the behaviour, and `node` the node if there are several. */
export const Request = Annotation.Root({
  how: Annotation<string>,
  node: Annotation<string>,
  seconds: Annotation<number>,
  megabytes: Annotation<number>,
  done: Annotation<string[]>({ reducer: (old, added) => [...old, ...added], default: () => [] }),
});
export type RequestState = typeof Request.State;
export type RequestUpdate = typeof Request.Update;

/** Appends one line `run node attempt time pid`. The system appends so short a line atomically. */
export function record(config: LangGraphRunnableConfig, node: string, pid = process.pid): void {
  const path = process.env['ZOO_LEDGER'];
  if (path === undefined) return;
  const { run_id: run = 'none', run_attempt: attempt = 1 } = config.metadata ?? {};
  appendFileSync(path, `${String(run)} ${node} ${String(attempt)} ${now()} ${pid}\n`);
}

/** Returns the behaviour that the input selects. */
export function select<T>(behaviours: Record<string, T>, how: string): T {
  const behaviour = behaviours[how];
  if (behaviour === undefined) throw new Error(`no animal of this graph is called ${how}`);
  return behaviour;
}
