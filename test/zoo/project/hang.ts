/** Animals that never end by themselves. Each records a tick while it is alive. */
import { spawn } from 'node:child_process';
import { tool } from '@langchain/core/tools';
import { END, START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { z } from 'zod';
import { Request, record, select, type RequestState, type RequestUpdate } from './ledger.js';

const TICK_MS = 100;

type Hang = (config: LangGraphRunnableConfig) => Promise<void> | void;

const forever = () => new Promise<void>(() => {});

function tick(config: LangGraphRunnableConfig): NodeJS.Timeout {
  return setInterval(() => record(config, 'tick'), TICK_MS);
}

const WAYS: Record<string, Hang> = {
  /** Has no handler for its signal. */
  deaf: (config) => {
    tick(config);
    return forever();
  },
  /** Sees its signal and goes on. */
  stubborn: (config) => {
    tick(config);
    config.signal?.addEventListener('abort', () => record(config, 'heard'));
    return forever();
  },
  /** Starts again each time it is interrupted. */
  retrying: async (config) => {
    tick(config);
    for (;;) await forever().catch(() => undefined);
  },
  /** Never lets a timer of its process run. */
  loop: (config) => {
    for (;;) {
      record(config, 'tick');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TICK_MS);
    }
  },
  /** Waits for a child process that ignores signals that can be ignored. */
  child: (config) => {
    const child = spawn('sh', ['-c', `trap '' TERM INT HUP; while true; do sleep 1; done`], { stdio: 'ignore' });
    record(config, 'child', child.pid);
    tick(config);
    return new Promise<void>((done) => child.once('exit', () => done()));
  },
  /** Waits for a tool that does not know its signal. LangChain reports the tool as failed at once. */
  tool: async (config) => {
    const waiter = tool(
      async () => {
        tick(config);
        await forever();
      },
      { name: 'waiter', schema: z.object({}) },
    );
    await waiter.invoke({}, config);
  },
  /** Ends when its signal fires, as a node should. */
  polite: (config) => {
    const timer = tick(config);
    return new Promise<void>((_, fail) => {
      config.signal?.addEventListener('abort', () => {
        clearInterval(timer);
        fail(new Error('stopped by its signal'));
      });
    });
  },
};

async function wait({ how }: RequestState, config: LangGraphRunnableConfig): Promise<RequestUpdate> {
  record(config, 'wait');
  await select(WAYS, how)(config);
  return { done: ['wait'] };
}

export const hang = new StateGraph(Request).addNode('wait', wait).addEdge(START, 'wait').addEdge('wait', END).compile();
