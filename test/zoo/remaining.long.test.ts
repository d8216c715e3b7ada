import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ANIMALS, REMAINING } from './animals.js';
import type { Visit } from './visit.js';
import { Zoo, visitAll } from './zoo.js';

/** Graphs at once. More lanes than cores, because many animals only wait. */
const LANES = 4;
const VISIT_MS = 120_000;
/** The last animal of the longest lane is awaited as long as the whole suite may take. */
const SUITE_MS = 900_000;

describe('all animals that are not visited beside the bystanders, several graphs at once on one worker', () => {
  const zoo = new Zoo();
  let visits: Map<string, Promise<Visit>>;
  let pid: number;

  beforeAll(async () => {
    await zoo.open();
    pid = zoo.worker.pid;
    visits = visitAll(REMAINING, LANES, (animal) => zoo.visit(animal, AbortSignal.timeout(VISIT_MS)));
  }, 120_000);
  afterAll(async () => {
    await zoo.close();
  }, 60_000);

  it('gives every animal a name of its own', () => {
    expect(new Set(ANIMALS.map(({ name }) => name)).size).toBe(ANIMALS.length);
  });

  it.each(REMAINING.map((animal) => [animal.name, animal] as const))(
    'ends as expected, and the worker goes on: %s',
    async (name, animal) => {
      const visited = await visits.get(name);
      expect(visited === undefined ? ['was not visited'] : await zoo.faults(animal, visited)).toEqual([]);
      expect(zoo.worker.pid).toBe(pid);
    },
    SUITE_MS,
  );

  it('leaves no process of a node behind when the worker has stopped', async () => {
    expect(await zoo.close()).toEqual([]);
  }, 60_000);
});
