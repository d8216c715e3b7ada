/**
 * Stops a graph between two supersteps without ending it: nodes wait at the gate before they start.
 * The graph stays in memory, so that it can continue with all values that are not stored.
 */
export class Gate {
  #ns: string | undefined;
  #waiting: { enter: () => void; refuse: (reason: unknown) => void }[] = [];
  #refusal: { reason: unknown } | undefined;
  #reached = newSignal();

  /** Resolves when a node waits at the gate. */
  get reached(): Promise<void> {
    return this.#reached.fired;
  }

  /** The namespace whose next superstep will wait, or waits. */
  get closedFor(): string | undefined {
    return this.#ns;
  }

  /** Whether the next superstep of this namespace will wait, or waits. */
  isClosed(ns: string): boolean {
    return this.#ns === ns;
  }

  /** Makes all nodes of a checkpoint namespace wait before they start. */
  close(ns: string): void {
    this.#ns = ns;
  }

  /** Lets the waiting nodes start. */
  open(): void {
    this.#ns = undefined;
    // A signal that has not fired is kept, because somebody may wait for it.
    if (this.#waiting.length > 0) this.#reached = newSignal();
    for (const { enter } of this.#waiting.splice(0)) enter();
  }

  /** Refuses the waiting nodes and all nodes that come later. They fail with `reason`. */
  refuse(reason: unknown): void {
    this.#refusal = { reason };
    for (const { refuse } of this.#waiting.splice(0)) refuse(reason);
  }

  /** Called before a node of the namespace starts. Returns a promise if the node must wait. */
  enter(ns: string): Promise<void> | undefined {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal.reason as Error);
    if (this.#ns !== ns) return undefined;
    const waits = new Promise<void>((enter, refuse) => this.#waiting.push({ enter, refuse }));
    this.#reached.fire();
    return waits;
  }
}

function newSignal(): { fired: Promise<void>; fire: () => void } {
  let fire = () => {};
  const fired = new Promise<void>((resolve) => (fire = resolve));
  return { fired, fire };
}
