import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { ProjectAuth } from '../../api/auth/ports.js';
import { NOTHING_REQUIRED, ColloquyError } from '../../protocol/index.js';
import { ANONYMOUS_CALLER, ApiFixture, stateWith } from '../support/api-server.js';
import { HttpUser } from '../support/http-user.js';

/**
 * What other requests do (`act`) while a request of bob is being authorized. The authorization
 * handler calls `act` once, when it is asked about the auth event `event` for bob.
 */
let meanwhile: { event: string; act: () => Promise<unknown> } | undefined;

/**
 * Each user may access only their own records. While the handler decides about a request of bob, it
 * calls `act` of `meanwhile`, as if other requests came in between.
 */
const auth: ProjectAuth = {
  async authenticate({ headers }) {
    const identity = String(headers.authorization).replace('Bearer ', '');
    return { user: { identity, permissions: [] }, scopes: [] };
  },
  async authorize({ user }, event) {
    if (user.identity === 'bob' && meanwhile?.event === event) {
      const { act } = meanwhile;
      meanwhile = undefined;
      await act();
    }
    return { owner: user.identity };
  },
};

let api: ApiFixture;
let [ada, bob] = [new HttpUser('', ''), new HttpUser('', '')];

beforeAll(async () => {
  api = await ApiFixture.start('api_remade_records');
  const url = await api.listen({}, { auth });
  [ada, bob] = [new HttpUser(url, 'ada'), new HttpUser(url, 'bob')];
});
afterAll(() => api.stop());

let id: string;
beforeEach(() => {
  id = randomUUID();
  meanwhile = undefined;
});

/** Bob deletes his thread, and ada creates one with the same id. */
async function remake(): Promise<void> {
  await bob.get('DELETE', `/threads/${id}`);
  await ada.get('POST', '/threads', { thread_id: id, metadata: { note: 'of ada' } });
  api.states.states.set(id, stateWith(id, { secret: 'of ada' }));
}

const hers = async () => (await ada.get<{ metadata: object }>('GET', `/threads/${id}`)).metadata;
const crons = () => api.stores.crons.countCrons(ANONYMOUS_CALLER, { required: NOTHING_REQUIRED, threadId: id });

/**
 * Makes `act` run once, right after the next read of a thread. This is the read of the gate, which
 * checks the access to the thread before the route runs.
 */
function afterTheGate(act: () => Promise<unknown>): void {
  const { threads } = api.stores;
  const real = { ...threads };
  threads.getThread = async (...given) => {
    Object.assign(threads, real);
    const found = await real.getThread(...given);
    await act();
    return found;
  };
}

describe('a thread that another user recreates after the access check of a request', () => {
  const cron = { assistant_id: 'echo', schedule: '0 9 1 1 *' };

  it.each([
    ['get', '', undefined],
    ['patch', '', { metadata: { by: 'bob' } }],
    ['delete', '', undefined],
    ['post', '/copy', undefined],
    ['post', '/runs/crons', cron],
    ['get', '/state', undefined],
    ['post', '/state', { values: { x: 1 } }],
    ['patch', '/state', { metadata: { by: 'bob' } }],
    ['post', '/state/checkpoint', { checkpoint: {} }],
    ['get', '/history', undefined],
    ['post', '/history', {}],
  ])('is treated as missing by the request %s /threads/T%s', async (method, path, body) => {
    await bob.get('POST', '/threads', { thread_id: id, metadata: { graph_id: 'echo' } });
    afterTheGate(remake);
    const { status, text } = await bob.call(method, `/threads/${id}${path}`, body);
    expect([status, text]).toEqual([404, `Thread with ID ${id} not found`]);
    expect(await hers()).toEqual({ owner: 'ada', note: 'of ada' });
    expect(await crons()).toBe(0);
  });

  it.each([
    ['/copy', 'threads:create', undefined],
    ['/runs/crons', 'crons:create', cron],
  ])(
    'is treated as missing by POST /threads/T%s if it is recreated while the handler of the auth event %s decides',
    async (path, event, body) => {
      await bob.get('POST', '/threads', { thread_id: id, metadata: { graph_id: 'echo' } });
      meanwhile = { event, act: remake };
      const { status, text } = await bob.call('POST', `/threads/${id}${path}`, body);
      expect([status, text, meanwhile]).toEqual([404, `Thread with ID ${id} not found`, undefined]);
      expect(await crons()).toBe(0);
    },
  );

  it('gets no cron if it is recreated while the auth handler decides about the assistant of the cron', async () => {
    await bob.get('POST', '/threads', { thread_id: id });
    const { assistant_id: assistant } = await bob.get('POST', '/assistants', { graph_id: 'echo' });
    meanwhile = { event: 'assistants:read', act: remake };
    const { status } = await bob.call('POST', `/threads/${id}/runs/crons`, { ...cron, assistant_id: assistant });
    expect([status, meanwhile, await crons()]).toEqual([404, undefined, 0]);
  });
});

describe('a thread that is created with supersteps', () => {
  const body = () => ({
    thread_id: id,
    metadata: { graph_id: 'echo' },
    supersteps: [{ updates: [{ values: { x: 1 }, as_node: 'echo' }] }],
  });

  it.each([
    ['before supersteps are written', 404, 0],
    ['while invalid supersteps are written', 422, 1],
    ['while valid supersteps are written', 404, 1],
  ])(
    'if another user recreates it %s, the request fails, and the other user’s thread is neither deleted nor returned',
    async (when, expected, writes) => {
      const real = { getState: api.states.getState, updateStates: api.states.updateStates };
      let written = 0;
      if (when === 'before supersteps are written') {
        api.states.getState = async (...given) => {
          api.states.getState = real.getState;
          const found = await real.getState(...given);
          await remake();
          return found;
        };
      }
      api.states.updateStates = async (...given) => {
        written += 1;
        await remake();
        if (when === 'while invalid supersteps are written')
          throw new ColloquyError('invalid_argument', 'no such node');
        return real.updateStates(...given);
      };
      const { status, text } = await bob
        .call('POST', '/threads', body())
        .finally(() => Object.assign(api.states, real));
      expect([status, written]).toEqual([expected, writes]);
      expect(text).not.toContain('of ada');
      expect(await hers()).toEqual({ owner: 'ada', note: 'of ada' });
    },
  );

  it('is removed if its supersteps fail', async () => {
    const { updateStates } = api.states;
    api.states.updateStates = async () => {
      throw new ColloquyError('invalid_argument', 'no such node');
    };
    const { status } = await bob
      .call('POST', '/threads', body())
      .finally(() => (api.states.updateStates = updateStates));
    expect(status).toBe(422);
    expect((await bob.call('GET', `/threads/${id}`)).status).toBe(404);
  });
});

describe('a request that creates an assistant with if_exists: do_nothing', () => {
  const his = () => ({ assistant_id: id, graph_id: 'echo', if_exists: 'do_nothing' });
  const make = () => ada.get('POST', '/assistants', { ...his(), context: { prompt: 'of ada' } });

  it('gets 409 if another user creates the assistant while the auth handler decides', async () => {
    meanwhile = { event: 'assistants:create', act: make };
    const { status, text } = await bob.call('POST', '/assistants', his());
    expect([status, text]).toEqual([409, `Assistant already exists: ${id}`]);
  });

  it('gets 409 if another user creates the assistant after the access check', async () => {
    const { assistants } = api.stores;
    const real = { ...assistants };
    assistants.getAssistant = async (...given) => {
      Object.assign(assistants, real);
      const looked = real.getAssistant(...given);
      await looked.catch(() => undefined);
      await make();
      return looked;
    };
    const { status, text } = await bob.call('POST', '/assistants', his());
    expect([status, text]).toEqual([409, `Assistant already exists: ${id}`]);
  });

  it('gets the existing assistant if the user may see it', async () => {
    await bob.get('POST', '/assistants', { ...his(), name: 'first' });
    expect(await bob.get('POST', '/assistants', { ...his(), name: 'second' })).toMatchObject({ name: 'first' });
  });
});
