/** The node of the agent that misbehaves. It shares its processes with well-behaved runs. */
import type { LangGraphRunnableConfig } from '@langchain/langgraph';
import { EXIT_CODE, thrownText, uncaughtText, type Mischief } from '../mischief.js';
import type { ExecutionRecord } from '../records.js';
import type { Ask } from '../script.js';

const LATER_MS = 1_000;
const SOON_MS = 50;

const forever = () => new Promise<never>(() => {});

const WAYS: Record<Mischief, (ask: Ask, config: LangGraphRunnableConfig) => unknown> = {
  exit: () => process.exit(EXIT_CODE),
  kill: () => {
    process.kill(process.pid, 'SIGKILL');
    return forever();
  },
  uncaught: (ask) => {
    setTimeout(() => {
      throw new Error(uncaughtText(ask));
    }, SOON_MS);
    return forever();
  },
  once: (_, { metadata }) => {
    if (metadata?.['run_attempt'] === 1) process.exit(EXIT_CODE);
  },
  later: () => void setTimeout(() => process.exit(EXIT_CODE), LATER_MS),
  block: ({ calls }) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, calls * 1_000),
  throw: (ask) => {
    throw oddValue(thrownText(ask));
  },
  deaf: forever,
};

/** Reports that it was executed, then misbehaves as the message says. */
export async function misbehave(ask: Ask, config: LangGraphRunnableConfig): Promise<Record<string, never>> {
  const { conversation, n, kind } = ask;
  const execution: ExecutionRecord = {
    type: 'execution',
    conversation,
    n,
    runId: String(config.metadata?.['run_id']),
  };
  // The ledger takes each record of this kind, so only a fault of this process can lose one.
  await fetch(`${process.env['CHAOS_LEDGER_URL']}/records`, { method: 'POST', body: JSON.stringify(execution) });
  await WAYS[kind as Mischief](ask, config);
  return {};
}

function oddValue(text: string): unknown {
  if (text === 'null') return null;
  if (text === 'Symbol(odd)') return Symbol('odd');
  const error = new Error(text);
  error.cause = error;
  return error;
}
