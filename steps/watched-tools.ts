import { StructuredTool } from '@langchain/core/tools';
import { currentWatcher } from './node-watcher.js';
import { attempt, isObject, readField } from './thrown-value.js';
import { callWatched } from './watched-call.js';

type Call = (this: unknown, ...args: unknown[]) => unknown;

/** Objects whose method `call` tells the watcher of its run about each call. All runs share them. */
const watched = new WeakSet<object>();

watchCall(StructuredTool.prototype);

/**
 * Lets the tools that a node has in its field `tools` tell the watcher of their run when they are
 * called. LangGraph's and LangChain's nodes for tools have this field. The tools may come from any
 * copy of LangChain. Their class is changed and not the run's callbacks: a callback handler changes
 * the time at which LangChain calls the other handlers, and so the order of the events.
 */
export function watchToolsOf(node: unknown): void {
  const tools = readField(node, 'tools');
  if (!Array.isArray(tools)) return;
  for (const tool of tools as unknown[]) {
    const owner = attempt(() => ownerOfCall(tool));
    if (owner !== undefined) watchCall(owner);
  }
}

/** Does the same for all tools of one copy of `@langchain/core/tools`. */
export function watchToolModule(module: Record<string, unknown>): void {
  const prototype = readField(module.StructuredTool, 'prototype');
  if (isObject(prototype)) watchCall(prototype);
}

/**
 * Returns the prototype of LangChain's class `StructuredTool` if the tool has it. Returns undefined
 * for another tool. The class is not recognised by its name, because bundlers change names.
 */
function ownerOfCall(tool: unknown): object | undefined {
  let found: object | undefined;
  for (
    let at: unknown = isObject(tool) ? Object.getPrototypeOf(tool) : null;
    isObject(at);
    at = Object.getPrototypeOf(at)
  )
    if (Object.hasOwn(at, 'call') && Object.hasOwn(at, 'invoke')) found = at;
  return found;
}

function watchCall(prototype: object): void {
  if (watched.has(prototype)) return;
  watched.add(prototype);
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'call');
  if (descriptor?.configurable !== true || typeof descriptor.value !== 'function') return;
  const call = descriptor.value as Call;
  const value: Call = function (...args) {
    const ended = currentWatcher()?.toolStarted();
    return ended === undefined ? call.apply(this, args) : callWatched(() => call.apply(this, args), ended);
  };
  Object.defineProperty(prototype, 'call', { ...descriptor, value });
}
