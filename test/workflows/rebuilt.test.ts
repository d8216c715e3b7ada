import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, type World } from './world.js';

describe('a conversation that continues as new after every two runs, on a worker without a workflow cache', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ maxTurns: 2, maxCachedWorkflows: 0 });
  }, 60_000);
  afterAll(() => world.close());

  it('executes the runs in the order of their submission', async () => {
    const talk = world.talk();
    for (let n = 1; n <= 7; n += 1) {
      await talk.submit(`r${n}`);
      await talk.settled();
    }
    expect(talk.ran).toEqual(['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7']);
  });
});
