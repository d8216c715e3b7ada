import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Animal } from './animal.js';
import type { Visit } from './visit.js';
import { Zoo, visitAll } from './zoo.js';

/** Graphs at once. More lanes than cores, because many animals only wait. */
const LANES = 4;

interface AnimalSuiteOptions {
  /** Time limit of one visit, in ms. */
  visitMs: number;
  /** How long a test may wait for its animal, in ms. The lanes visit one animal after another. */
  waitMs: number;
}

/**
 * Defines a suite that visits animals, several graphs at once on one worker, and checks how each of
 * them ends. `more` defines further tests in the same zoo.
 */
export function describeAnimals(
  title: string,
  animals: Animal[],
  { visitMs, waitMs }: AnimalSuiteOptions,
  more: (zoo: Zoo) => void = () => {},
): void {
  describe(title, () => {
    const zoo = new Zoo();
    let visits: Map<string, Promise<Visit>>;
    let pid: number;

    beforeAll(async () => {
      await zoo.open();
      pid = zoo.worker.pid;
      visits = visitAll(animals, LANES, (animal) => zoo.visit(animal, AbortSignal.timeout(visitMs)));
    }, 120_000);
    afterAll(async () => {
      await zoo.close();
    }, 60_000);

    it.each(animals.map((animal) => [animal.name, animal] as const))(
      'ends as expected, and the worker goes on: %s',
      async (name, animal) => {
        const visited = await visits.get(name);
        expect(visited === undefined ? ['was not visited'] : await zoo.faults(animal, visited)).toEqual([]);
        expect(zoo.worker.pid).toBe(pid);
      },
      waitMs,
    );

    more(zoo);

    it('leaves no process of a node behind when the worker has stopped', async () => {
      expect(await zoo.close()).toEqual([]);
    }, 60_000);
  });
}
