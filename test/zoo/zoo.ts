import { Client } from '@langchain/langgraph-sdk';
import pLimit from 'p-limit';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { ZOO_LIMITS, type Animal } from './animal.js';
import { executionFaults, outcomeFaults } from './faults.js';
import { Ledger, isAlive } from './ledger.js';
import { visit, type Visit } from './visit.js';

export const ZOO_PROJECT = resolve('test/zoo/project/langgraph.json');

const LOG_WAIT_MS = 3_000;
const LOG_POLL_MS = 50;

/** One worker and one API process that serve all animals. */
export class Zoo {
  readonly #folder = mkdtempSync(join(tmpdir(), 'colloquy-zoo-'));
  readonly ledger = new Ledger(join(this.#folder, 'ledger'));
  readonly #house: ServiceProcesses;
  #worker: ServiceProcess | undefined;
  #client: Client | undefined;

  constructor(env: Record<string, string> = {}) {
    this.#house = new ServiceProcesses(ZOO_PROJECT, { ...ZOO_LIMITS, ...env, ZOO_LEDGER: this.ledger.path });
  }

  async open(): Promise<void> {
    const [worker, api] = await Promise.all([this.#house.worker(), this.#house.api()]);
    this.#worker = worker;
    this.#client = new Client({ apiUrl: api.url, apiKey: null, callerOptions: { maxRetries: 0 } });
  }

  /** Stops both processes. Returns the processes of animals that outlive them. */
  async close(): Promise<number[]> {
    await this.#house.stop();
    const left = [...new Set(this.ledger.read().map(({ pid }) => pid))].filter(isAlive);
    rmSync(this.#folder, { recursive: true, force: true });
    return left;
  }

  get worker(): ServiceProcess {
    if (this.#worker === undefined) throw new Error('the zoo is not open');
    return this.#worker;
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error('the zoo is not open');
    return this.#client;
  }

  async visit(animal: Animal, signal: AbortSignal): Promise<Visit> {
    const ending = this.worker.ending();
    if (ending !== undefined) throw new Error(`the worker ended with ${ending} before this animal was visited`);
    return visit(this.client, animal, this.ledger, signal);
  }

  /** Returns all that is not as expected: the outcome, the executions, the worker and its log. */
  async faults(animal: Animal, { outcome, runs, alive }: Visit): Promise<string[]> {
    const ending = this.worker.ending();
    return [
      ...outcomeFaults(animal.expected, outcome),
      ...executionFaults(animal, this.ledger.read(runs), alive),
      ...(ending === undefined ? [] : [`the worker ended with ${ending}`]),
      ...(animal.isBlamed && !(await this.#isLogged(runs)) ? ['the worker’s log does not name its run'] : []),
    ];
  }

  /** A log line reaches this process a moment after it was written. */
  async #isLogged(runs: readonly string[]): Promise<boolean> {
    const until = performance.now() + LOG_WAIT_MS;
    const isLogged = () => runs.some((run) => this.worker.log().includes(run));
    while (!isLogged() && performance.now() < until) await sleep(LOG_POLL_MS);
    return isLogged();
  }
}

/**
 * Visits the animals: those of one graph one after another, so that a crash has one suspect, and
 * `lanes` graphs at once. Returns the visits by the names of the animals.
 */
export function visitAll(
  animals: readonly Animal[],
  lanes: number,
  once: (animal: Animal) => Promise<Visit>,
): Map<string, Promise<Visit>> {
  const limit = pLimit(lanes);
  const visits = new Map<string, Promise<Visit>>();
  for (const graph of new Set(animals.map((animal) => animal.graph))) {
    let last: Promise<unknown> = Promise.resolve();
    const opened = new Promise<void>((open) => {
      void limit(() => {
        open();
        return last;
      });
    });
    last = opened;
    for (const animal of animals.filter((one) => one.graph === graph)) {
      const visited = last.then(() => once(animal));
      last = visited.catch(() => undefined);
      visits.set(animal.name, visited);
    }
  }
  // A test awaits each visit later. Until then a rejection must not count as unhandled.
  for (const visited of visits.values()) visited.catch(() => undefined);
  return visits;
}
