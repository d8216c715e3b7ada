import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ROUTES } from '../../api/routes.js';
import { guarded, type PortRules } from '../../policy/index.js';
import type { Authorize } from '../../protocol/index.js';
import * as rules from '../../workers/port-rules.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';
import { untilAborted } from '../support/scripted-conversations.js';

type Ids = Record<'assistant_id' | 'thread_id' | 'run_id' | 'cron_id' | 'checkpoint_id' | 'namespace', string>;

/** Bodies of requests by route; a route without an entry gets an empty object. */
const BODIES: Record<string, object | ((ids: Ids) => object)> = {
  'post /assistants': { graph_id: 'echo' },
  'patch /assistants/:assistant_id': { name: 'renamed' },
  'post /assistants/:assistant_id/latest': { version: 1 },
  'post /threads/prune': ({ thread_id }) => ({ thread_ids: [thread_id] }),
  'post /threads/:thread_id/state': { values: {} },
  'post /threads/:thread_id/runs': { assistant_id: 'echo' },
  'post /threads/:thread_id/runs/wait': { assistant_id: 'echo' },
  'post /threads/:thread_id/runs/stream': { assistant_id: 'echo' },
  'post /runs/cancel': { status: 'all' },
  'post /runs/batch': [{ assistant_id: 'echo' }],
  'post /runs': { assistant_id: 'echo' },
  'post /runs/wait': { assistant_id: 'echo' },
  'post /runs/stream': { assistant_id: 'echo' },
  'post /runs/crons': { assistant_id: 'echo', schedule: '0 0 1 1 *' },
  'post /threads/:thread_id/runs/crons': { assistant_id: 'echo', schedule: '0 0 1 1 *' },
  'post /runs/crons/:cron_id/backfill': { start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z' },
  'post /threads/:thread_id/commands': { id: 1, method: 'run.start', params: { assistant_id: 'echo' } },
  'post /threads/:thread_id/stream/events': { channels: ['values'] },
  'put /store/items': { namespace: ['n'], key: 'k', value: {} },
  'post /store/items/search': { namespace_prefix: ['n'] },
  'delete /store/items': { namespace: ['n'], key: 'k' },
};
const QUERIES: Record<string, string> = { 'get /store/items': '?namespace=n&key=k' };

describe('the authorization action that a route names', () => {
  let api: ApiFixture;
  let url: string;
  let asked: string[] = [];
  const authorize: Authorize = async (_caller, action) => void asked.push(action);

  beforeAll(async () => {
    api = await ApiFixture.start('route_actions');
    await api.stores.assistants.registerGraphs(ANONYMOUS_CALLER, [{ graphId: 'echo' }, { graphId: 'checked' }]);
    const deps = api.dependencies();
    const recorded = <Port extends object>(port: Port, table: PortRules<Port>, streams: (keyof Port)[] = []) =>
      guarded(port, table, authorize, streams);
    url = await api.listen(
      { heartbeatMs: 50 },
      {
        threads: recorded(deps.threads, rules.THREAD_RULES),
        assistants: recorded(deps.assistants, rules.ASSISTANT_RULES),
        crons: recorded(deps.crons, rules.CRON_RULES),
        events: recorded(deps.events, rules.EVENT_RULES, ['follow']),
        items: recorded(deps.items, rules.ITEM_RULES),
        states: recorded(deps.states, rules.STATE_RULES),
        graphs: recorded(deps.graphs, rules.GRAPH_RULES),
        conversations: recorded(deps.conversations, rules.CONVERSATION_RULES),
        schedules: recorded(deps.schedules, rules.SCHEDULE_RULES),
      },
    );
  });
  afterAll(() => api.stop());

  const send = async (method: string, path: string, body?: object) => {
    const left = new AbortController();
    const answer = await fetch(url + path, {
      method: method.toUpperCase(),
      signal: left.signal,
      ...(method !== 'get' && { body: JSON.stringify(body ?? {}) }),
    });
    // The stream of a thread does not end by itself, so only its first chunk is read.
    if (answer.headers.get('content-type')?.startsWith('text/event-stream')) {
      await answer.body?.getReader().read();
      left.abort();
      return {};
    }
    const text = await answer.text();
    expect([method, path, answer.status < 300, text]).toEqual([method, path, true, text]);
    return (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, string>;
  };

  /**
   * Creates one record of each kind. Returns their ids, which replace the parameters of the paths.
   */
  async function createRecords(): Promise<Ids> {
    const { assistant_id } = await send('post', '/assistants', { graph_id: 'checked' });
    const { thread_id } = await send('post', '/threads', { metadata: { graph_id: 'echo' } });
    const { run_id } = await send('post', `/threads/${thread_id}/runs`, { assistant_id: 'echo' });
    await send('get', `/threads/${thread_id}/runs/${run_id}/join`);
    const { cron_id } = await send('post', '/runs/crons', { assistant_id: 'echo', schedule: '0 0 1 1 *' });
    const checkpoint_id = '1ef00000-0000-6000-8000-000000000001';
    return { assistant_id, thread_id, run_id, cron_id, checkpoint_id, namespace: 'x' } as Ids;
  }

  const routes = ROUTES.filter(({ auth }) => auth !== 'public');
  it.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    'is among the actions that are checked while the route handles a request: %s',
    async (name, { method, path, action }) => {
      const ids = await createRecords();
      if (action === 'run.cancel') {
        api.conversations.script = untilAborted;
        ids.run_id = (await send('post', `/threads/${ids.thread_id}/runs`, { assistant_id: 'echo' }))['run_id'] ?? '';
      }
      if (path === '/runs/:run_id/stream') {
        ids.run_id = (await send('post', '/runs', { assistant_id: 'echo' }))['run_id'] ?? '';
      }
      asked = [];
      const body = BODIES[name];
      const target = path.replace(/:(\w+)/g, (_, key: keyof Ids) => ids[key]) + (QUERIES[name] ?? '');
      await send(method, target, typeof body === 'function' ? body(ids) : body);
      api.conversations.script = async () => undefined;
      expect(asked).toContain(action);
    },
  );
});
