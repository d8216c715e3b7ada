import type { LoadedGraph } from '../agents/index.js';
import type { InterruptsByTask, PendingInterrupt } from '../protocol/index.js';
import { subgraphOf, graphAt } from './node-options.js';
import { guardDeadline, questionOf, type QuestionOptions } from './questions.js';
import { shortNames } from './short-names.js';

type Json = Record<string, unknown>;

interface RunningTask {
  ns: string;
  name: string;
}

/**
 * Tracks which nodes of a graph are running, which have finished, and which are due next. Learns
 * this from the graph's `tasks` and `checkpoints` events.
 */
export class StepProgress {
  readonly interrupts: InterruptsByTask = {};
  /** Whether the graph stopped at a question or a breakpoint. */
  interrupted = false;
  readonly #finished: string[] = [];
  readonly #graph: LoadedGraph;
  readonly #showsQuestions: boolean;
  readonly #running = new Map<string, RunningTask>();
  readonly #due = new Map<string, { id: string; name: string }[]>();
  readonly #questions = new Map<string, PendingInterrupt>();

  constructor(graph: LoadedGraph, { showsQuestions = false }: QuestionOptions = {}) {
    this.#graph = graph;
    this.#showsQuestions = showsQuestions;
  }

  /**
   * The open questions. Each contains the name of the node that asks it. If a node in a subgraph
   * asks, this is the name of that inner node, not of the node that contains the subgraph.
   */
  get questions(): PendingInterrupt[] {
    const open = new Set(Object.values(this.interrupts).flatMap((all) => all.map((one) => one.id)));
    return [...this.#questions.values()].filter((question) => open.has(question.id));
  }

  /**
   * The nodes that are due next, each with its graph. If a due node is a subgraph that has due
   * nodes itself, these are returned in its place.
   */
  get due(): { graph: LoadedGraph; node: string }[] {
    return this.#dueIn('');
  }

  /**
   * Returns the names of the nodes that have finished since the last call, in order. If a node ran
   * tools, their names follow.
   */
  takeFinished(): string[] {
    return this.#finished.splice(0);
  }

  observe(ns: string, mode: string, payload: unknown): void {
    if (mode === 'checkpoints') this.#checkpoint(ns, payload as Json);
    else if (mode === 'tasks') this.#task(ns, payload as Json);
    else if (mode === 'values' && ns === '' && isObject(payload) && '__interrupt__' in payload) this.interrupted = true;
  }

  /** Returns whether no task runs beside the graph with namespace `ns`. */
  isAlone(ns: string): boolean {
    return [...this.#running].every(([id, task]) => {
      const inside = childNamespace(task);
      return ns === inside || `${ns}|`.startsWith(`${inside}:${id}|`);
    });
  }

  /**
   * Returns whether all running tasks beside the subgraph with namespace `ns` are compiled graphs
   * too. Unlike a function, a compiled graph can stop between its own supersteps and resume there.
   */
  onlyGraphsBeside(ns: string): boolean {
    return [...this.#running.values()].every((task) => {
      const inside = childNamespace(task);
      if (ns === inside || ns.startsWith(`${inside}:`)) return true;
      const graph = graphAt(this.#graph, task.ns);
      return graph !== undefined && subgraphOf(graph, task.name) !== undefined;
    });
  }

  #checkpoint(ns: string, payload: Json): void {
    if (!Array.isArray(payload.tasks)) return;
    this.#due.set(
      ns,
      (payload.tasks as { id: string; name: string }[]).map(({ id, name }) => ({ id, name })),
    );
    for (const [id, task] of this.#running) if (task.ns === ns) this.#running.delete(id);
  }

  #task(ns: string, payload: Json): void {
    const { id, name } = payload as { id: string; name: string };
    if (!('result' in payload) && !('error' in payload)) {
      this.#running.set(id, { ns, name });
      return;
    }
    this.#running.delete(id);
    const interrupts = (payload.interrupts ?? []) as { id?: string; value?: unknown }[];
    if (interrupts.length > 0) {
      if (ns === '') this.interrupts[id] = interrupts;
      for (const one of interrupts) this.#ask(name, one);
    } else if (payload.error === undefined || payload.error === null) {
      this.#finished.push(describeNode(name, payload.result));
    }
  }

  #ask(node: string, interrupt: { id?: string; value?: unknown }): void {
    const id = interrupt.id ?? '';
    // If a node of a subgraph asks a question, the nodes around the subgraph report the question
    // too. The innermost node reports it first.
    if (this.#questions.has(id)) return;
    guardDeadline(node, interrupt.value);
    this.#questions.set(id, questionOf(node, interrupt, this.#showsQuestions));
  }

  #dueIn(ns: string): { graph: LoadedGraph; node: string }[] {
    const graph = graphAt(this.#graph, ns);
    if (graph === undefined) return [];
    return (this.#due.get(ns) ?? []).flatMap(({ id, name }) => {
      const inside = ns === '' ? `${name}:${id}` : `${ns}|${name}:${id}`;
      const inner = this.#due.has(inside) ? this.#dueIn(inside) : [];
      return inner.length > 0 ? inner : [{ graph, node: name }];
    });
  }
}

function childNamespace(task: RunningTask): string {
  return task.ns === '' ? task.name : `${task.ns}|${task.name}`;
}

function describeNode(name: string, result: unknown): string {
  const values = isObject(result) ? Object.values(result) : [result];
  const tools = values.flat().flatMap((value) => {
    const isTool = isObject(value) && typeof value.tool_call_id === 'string' && typeof value.name === 'string';
    return isTool ? [value.name as string] : [];
  });
  return tools.length > 0 ? `${name} (${shortNames([...new Set(tools)]).join(', ')})` : name;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
