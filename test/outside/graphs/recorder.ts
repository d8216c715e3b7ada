/**
 * Records the callbacks of a graph, as tracing tools do. The recorder appends one line of JSON for
 * each event to a file in the folder that the environment variable `TRACES` names. Each process has
 * its own file. `trace.ts` reads the files.
 */
import { BaseCallbackHandler } from '@langchain/core/callbacks/base';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

class Recorder extends BaseCallbackHandler {
  name = 'recorder';
  /** LangChain waits for the handler, so the file is complete when the turn has ended. */
  override awaitHandlers = true;

  override handleChainStart(...all: unknown[]): void {
    const [, , run, parent, , metadata, , name] = all;
    this.#write('start chain', run, { parent, name, thread: threadOf(metadata) });
  }

  override handleChatModelStart(...all: unknown[]): void {
    const [, , run, parent, , , metadata, name] = all;
    this.#write('start model', run, { parent, name, thread: threadOf(metadata) });
  }

  override handleToolStart(...all: unknown[]): void {
    const [, , run, parent, , metadata, name] = all;
    this.#write('start tool', run, { parent, name, thread: threadOf(metadata) });
  }

  override handleChainEnd(_: unknown, run: string): void {
    this.#write('end', run);
  }

  override handleLLMEnd(_: unknown, run: string): void {
    this.#write('end', run);
  }

  override handleToolEnd(_: unknown, run: string): void {
    this.#write('end', run);
  }

  override handleChainError(error: unknown, run: string): void {
    this.#write('error', run, { error: textOf(error) });
  }

  override handleLLMError(error: unknown, run: string): void {
    this.#write('error', run, { error: textOf(error) });
  }

  override handleToolError(error: unknown, run: string): void {
    this.#write('error', run, { error: textOf(error) });
  }

  #write(event: string, run: unknown, fields: Record<string, unknown> = {}): void {
    const line = JSON.stringify({ event, run, ...fields });
    appendFileSync(join(process.env.TRACES ?? '.', `${process.pid}.jsonl`), `${line}\n`);
  }
}

function threadOf(metadata: unknown): unknown {
  return (metadata as { thread_id?: unknown } | undefined)?.thread_id;
}

function textOf(error: unknown): string {
  const { name, message } = error as { name?: string; message?: string };
  return `${name}: ${message?.split('\n')[0]}`;
}

/** Returns the graph with a recorder that its author has attached to it. */
export function recorded(graph: unknown): unknown {
  const made = graph as { withConfig(config: unknown): unknown };
  return made.withConfig({ callbacks: [new Recorder()] });
}

const SLOW_MS = 150;

/** Makes a node slow: longer than the default time after which a superstep gets its own activity. */
export function slowly(): Promise<void> {
  return new Promise((done) => setTimeout(done, SLOW_MS));
}
