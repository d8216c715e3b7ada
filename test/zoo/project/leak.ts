/** Animals that keep what they no longer need: memory, timers, listeners, processes, files. */
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const kept: unknown[] = [];
const MEGABYTE = 1_048_576;
const STEP_MS = 10;
const MANY = 20_000;
const SOME = 500;

const WAYS: Record<string, (config: LangGraphRunnableConfig, megabytes: number) => Promise<void> | void> = {
  /** Outside of V8's heap, which has a limit of its own. */
  buffers: async (_, megabytes) => {
    for (let size = 0; size < megabytes; size += 1) {
      kept.push(Buffer.alloc(MEGABYTE, 1));
      await sleep(STEP_MS);
    }
    await sleep(3_000);
  },
  strings: async (_, megabytes) => {
    for (let size = 0; size < megabytes; size += 1) {
      kept.push(Array.from({ length: 32_768 }, (__, index) => `${size} ${index} ${Math.random()}`));
      await sleep(STEP_MS);
    }
  },
  timers: () => {
    for (let timer = 0; timer < MANY; timer += 1) kept.push(setInterval(() => {}, 1_000));
  },
  listeners: () => {
    for (let listener = 0; listener < MANY; listener += 1) process.on('zoo', () => {});
  },
  files: () => {
    for (let file = 0; file < SOME; file += 1) kept.push(openSync(process.execPath, 'r'));
  },
  /** The child process outlives its node. */
  child: (config) => {
    record(config, 'child', spawn('sleep', ['600'], { stdio: 'ignore' }).pid);
  },
};

async function keep({ how, megabytes }: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  record(config, 'keep');
  await select(WAYS, how)(config, megabytes);
  return { done: ['keep'] };
}

export const leak = new StateGraph(Request).addNode('keep', keep).addEdge(START, 'keep').addEdge('keep', END).compile();
