import type { AgentStatus, DraftEvent } from './events.js';
import { isRecord } from './events.js';

interface NamespaceEntry {
  namespace: string[];
  graphName: string;
  status: AgentStatus;
  /**
   * The tool call that started the namespace. Set if the namespace belongs to a named agent that
   * runs inside a tool.
   */
  cause?: { type: 'toolCall'; tool_call_id: string };
}

interface Completion {
  key: string;
  /**
   * The node whose logged update caused this completion. Absent if the result of a task caused it.
   * An update names only the node. If several tasks of the node run, `updated` chooses the first
   * open namespace of the node, which may be the wrong one. The result of a task names the exact
   * namespace. So if the next logged event is the result of a task of this node, this completion
   * is dropped, and the namespace of that task is completed instead.
   */
  node?: { parent: string; name: string };
}

export interface NamespaceNode {
  namespace: string[];
  status: AgentStatus;
  graph_name: string;
  children?: NamespaceNode[];
}

/**
 * Tracks the namespaces of one run, except the root. Returns the lifecycle events that report the
 * start and the end of each namespace, as LangGraph's lifecycle transformer does.
 */
export class Namespaces {
  readonly #entries = new Map<string, NamespaceEntry>();
  readonly #agentNames = new Map<string, string | undefined>();
  readonly #toolCalls = new Map<string, string>();
  #completions: Completion[] = [];

  /** Returns the lifecycle events that must precede the given event. */
  lifecycleBefore(mode: string, namespace: string[], data: unknown): DraftEvent[] {
    const task = mode === 'tasks' && isRecord(data) ? data : undefined;
    const result = task && taskResult(task);
    if (result) this.#forgetUpdatesOf(keyOf(namespace), result.name);
    else if (task) this.#recordTask(namespace, task);
    const drafts = [...this.#flush(), ...this.#start(namespace)];
    if (result) this.#complete(keyOf([...namespace, `${result.name}:${result.id}`]));
    return drafts;
  }

  /** Marks the subgraph of a node as completed, because an update of the node was logged. */
  updated(namespace: string[], node: string): void {
    if (node.startsWith('__')) return;
    const child = [...this.#entries.values()].find(
      (entry) =>
        entry.status === 'started' &&
        entry.namespace.length === namespace.length + 1 &&
        keyOf(entry.namespace.slice(0, -1)) === keyOf(namespace) &&
        (entry.namespace.at(-1) === node || entry.namespace.at(-1)?.startsWith(`${node}:`)),
    );
    if (child) this.#complete(keyOf(child.namespace), { parent: keyOf(namespace), name: node });
  }

  /**
   * Returns the lifecycle events that end all open namespaces when the run ends. `waiting` lists
   * the namespaces that have an open interrupt. A namespace in this list and each of its parents
   * end with `interrupted`. All other namespaces end with the status of the run.
   */
  end(status: AgentStatus, waiting: readonly string[][] = []): DraftEvent[] {
    const drafts = this.#flush();
    for (const entry of this.#entries.values()) {
      if (entry.status !== 'started') continue;
      const waits = waiting.some(
        (namespace) => keyOf(namespace.slice(0, entry.namespace.length)) === keyOf(entry.namespace),
      );
      drafts.push(this.#lifecycleEvent(entry, waits ? 'interrupted' : status));
    }
    return drafts;
  }

  tree(namespace: string[], status: AgentStatus, graphName: string): NamespaceNode {
    const children = [...this.#entries.values()]
      .filter((entry) => entry.namespace.length === namespace.length + 1)
      .filter((entry) => keyOf(entry.namespace.slice(0, -1)) === keyOf(namespace))
      .sort((a, b) => (keyOf(a.namespace) < keyOf(b.namespace) ? -1 : 1))
      .map((entry) => this.tree(entry.namespace, entry.status, entry.graphName));
    return { namespace, status, graph_name: graphName, ...(children.length > 0 && { children }) };
  }

  #start(namespace: string[]): DraftEvent[] {
    const drafts: DraftEvent[] = [];
    for (let length = 1; length <= namespace.length; length += 1) {
      const prefix = namespace.slice(0, length);
      const key = keyOf(prefix);
      if (this.#entries.has(key)) continue;
      const cause = this.#causeOf(prefix);
      const graphName = this.#agentNames.get(key) ?? nodeOf(prefix);
      const entry: NamespaceEntry = { namespace: prefix, graphName, status: 'started', ...(cause && { cause }) };
      this.#entries.set(key, entry);
      drafts.push(this.#lifecycleEvent(entry, 'started'));
    }
    return drafts;
  }

  #lifecycleEvent(entry: NamespaceEntry, status: AgentStatus): DraftEvent {
    entry.status = status;
    const { namespace, graphName, cause } = entry;
    const data = { event: status, graph_name: graphName, ...(status === 'started' && cause && { cause }) };
    return { method: 'lifecycle', namespace, data };
  }

  /**
   * Marks a namespace as completed. The current logged event is an update or a task result of the
   * parent, and the client must get it before the lifecycle event of the completed namespace. So
   * the lifecycle event is returned later: before the next logged event, or at the end of the run.
   */
  #complete(key: string, node?: Completion['node']): void {
    if (this.#entries.get(key)?.status !== 'started') return;
    if (this.#completions.some((completion) => completion.key === key)) return;
    this.#completions.push({ key, ...(node && { node }) });
  }

  #flush(): DraftEvent[] {
    const due = this.#completions.splice(0);
    return due.flatMap(({ key }) => {
      const entry = this.#entries.get(key);
      return entry?.status === 'started' ? [this.#lifecycleEvent(entry, 'completed')] : [];
    });
  }

  #forgetUpdatesOf(parent: string, name: string): void {
    this.#completions = this.#completions.filter(({ node }) => node?.parent !== parent || node.name !== name);
  }

  /**
   * Remembers two facts from a logged `tasks` event: the name of the agent that runs in this
   * namespace, and the tool call that the task executes.
   */
  #recordTask(namespace: string[], task: Record<string, unknown>): void {
    const key = keyOf(namespace);
    const name = isRecord(task['metadata']) ? task['metadata']['lc_agent_name'] : undefined;
    if (!this.#agentNames.has(key)) this.#agentNames.set(key, typeof name === 'string' && name ? name : undefined);
    const call = toolCallOf(task['input']);
    if (typeof task['id'] === 'string' && call !== undefined) this.#toolCalls.set(task['id'], call);
  }

  #causeOf(namespace: string[]): NamespaceEntry['cause'] {
    if (this.#agentNames.get(keyOf(namespace)) === undefined) return undefined;
    const segment = namespace.at(-1) ?? '';
    const call = this.#toolCalls.get(segment.slice(segment.indexOf(':') + 1));
    return call === undefined ? undefined : { type: 'toolCall', tool_call_id: call };
  }
}

function keyOf(namespace: readonly string[]): string {
  return namespace.join('|');
}

function nodeOf(namespace: readonly string[]): string {
  return (namespace.at(-1) ?? '').replace(/:.*$/s, '');
}

function taskResult(task: Record<string, unknown>): { name: string; id: string } | undefined {
  const { name, id, error, interrupts } = task;
  // The event of a task that failed or has an interrupt also has a field `result`. The namespace of
  // such a task stays open until the run ends.
  const stays = (error !== undefined && error !== null) || (Array.isArray(interrupts) && interrupts.length > 0);
  if (stays || !('result' in task) || typeof name !== 'string' || typeof id !== 'string' || name.startsWith('__'))
    return undefined;
  return { name, id };
}

/**
 * Returns the id of the first tool call in the input of a tool node. This input is a list of tool
 * calls, or an object with one call in its field `tool_call`.
 */
function toolCallOf(input: unknown): string | undefined {
  const calls = Array.isArray(input) ? (input as unknown[]) : [isRecord(input) ? input['tool_call'] : undefined];
  const ids = calls.map((call) => (isRecord(call) ? call['id'] : undefined));
  return ids.find((id) => typeof id === 'string');
}
