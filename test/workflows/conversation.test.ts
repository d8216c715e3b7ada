import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld } from './harness.js';
import type { World } from './harness.js';

describe('a conversation', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ maxTurns: 0 });
  });
  afterAll(() => world.close());

  it('runs one', async () => {
    const talk = world.talk();
    expect(await talk.submit('run-1')).toEqual({ runId: 'run-1', position: 0, duplicate: false });
    expect(await talk.settled()).toMatchObject({
      status: 'idle',
      turns: 1,
      last: { runId: 'run-1', status: 'success' },
    });
    console.log(JSON.stringify(talk.calls));
    const history = await talk.handle.fetchHistory();
    console.log(history.events?.length, history.events?.map((e) => e.eventType).join());
  });
});
