/** Animals that block the thread of their process, so that no timer and no heartbeat runs in it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const TRY_REGEX_ON = `${'a'.repeat(22)}!`;

function until(seconds: number, work: () => void): void {
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) work();
}

const WAYS: Record<string, (seconds: number) => void> = {
  spawn: (seconds) => void spawnSync('sleep', [String(seconds)]),
  atomics: (seconds) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1_000),
  loop: (seconds) => until(seconds, () => {}),
  regex: (seconds) => until(seconds, () => /^(a+)+$/.test(TRY_REGEX_ON)),
  files: (seconds) => until(seconds, () => readFileSync(process.execPath)),
};

function work({ how, seconds }: RequestState, config: LangGraphRunnableConfig): RequestUpdate {
  record(config, 'work');
  select(WAYS, how)(seconds);
  return { done: ['work'] };
}

export const block = new StateGraph(Request)
  .addNode('work', work)
  .addEdge(START, 'work')
  .addEdge('work', END)
  .compile();

/** A short heartbeat timeout makes a short block as hard as a long one with the default. */
export const blockQuick = new StateGraph(Request)
  .addNode('work', work, { metadata: { temporal: { heartbeatTimeout: '2s' } } })
  .addEdge(START, 'work')
  .addEdge('work', END)
  .compile();
