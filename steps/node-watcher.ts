import { AsyncLocalStorage } from 'node:async_hooks';
import type { LoadedGraph } from '../agents/index.js';

/** What a step does around the nodes and the tools of its graph. */
export interface NodeWatcher {
  /**
   * Called before a node of the checkpoint namespace `ns` starts, and before its callbacks are
   * called. If the result is a promise, the node waits for it, and fails if it rejects.
   */
  enter(ns: string): Promise<void> | undefined;
  /**
   * Called when a node starts. The returned function is called when LangGraph has the result of the
   * node, or has given it up.
   */
  started(graph: LoadedGraph, node: string): () => void;
  /**
   * Called when the code of a node starts. The returned function is called when the code has
   * returned. This may be long after LangGraph has given the node up, because LangGraph does not
   * wait for a node whose signal has fired.
   */
  codeStarted(): () => void;
  /**
   * Called when a tool is called. The returned function is called when LangChain has the result of
   * the tool, or has given it up.
   */
  toolStarted(): () => void;
}

/** The watcher of the run whose code is executed. */
const current = new AsyncLocalStorage<NodeWatcher>();

/** Calls a function, and lets the code of nodes and tools that it starts call the watcher. */
export function withWatcher<T>(watcher: NodeWatcher, run: () => T): T {
  return current.run(watcher, run);
}

/** Returns the watcher of the run whose code calls this function. Undefined outside of a run. */
export function currentWatcher(): NodeWatcher | undefined {
  return current.getStore();
}
