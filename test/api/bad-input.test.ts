import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ERROR_CODES } from '../../protocol/index.js';
import { STATUS_OF } from '../../api/http/errors.js';
import { ApiFixture, CHECKPOINT } from '../support/api-server.js';

describe('the API', () => {
  let api: ApiFixture;
  let url: string;
  let threadId: string;

  beforeAll(async () => {
    api = await ApiFixture.start('api_bad_input');
    url = await api.listen({ bodyLimitBytes: 2_000 });
    ({ thread_id: threadId } = await api.client(url).threads.create());
  });
  afterAll(() => api.stop());

  it('has an HTTP status for every error code', () => {
    expect(STATUS_OF).toEqual({
      invalid_argument: 422,
      unsupported: 422,
      not_found: 404,
      already_exists: 409,
      conflict: 409,
      queue_full: 429,
      too_large: 413,
      forbidden: 403,
      unauthenticated: 401,
      thread_closed: 404,
      fence_lost: 409,
      graph_failed: 500,
      graph_transient: 503,
      unavailable: 503,
      internal: 500,
    });
    expect(Object.keys(STATUS_OF).sort()).toEqual([...ERROR_CODES].sort());
  });

  const RUN_FAULTS: [fault: string, body: object, message: string][] = [
    ['no assistant', {}, 'assistant_id: Invalid input: expected string, received undefined; got nothing'],
    ['an unknown field', { inputs: 1 }, 'inputs: unknown field of the request body'],
    ['an unknown field in config', { config: { run_name: 'x' } }, 'config.run_name: unknown field of the request body'],
    [
      'an unknown stream mode',
      { stream_mode: 'tokens' },
      'stream_mode: Invalid option: expected one of "values"|"updates"|"messages"',
    ],
    ['an unknown multitask strategy', { multitask_strategy: 'wait' }, 'multitask_strategy: Invalid option'],
    ['a webhook that is not a string', { webhook: {} }, 'webhook: Invalid input: expected string, received object'],
    ['a negative delay', { after_seconds: -1 }, 'after_seconds: Too small'],
    ['a delay of more than a year', { after_seconds: 1e9 }, 'after_seconds: Too big'],
    ['an unknown durability', { durability: 'never' }, 'durability: Invalid option'],
    [
      'feedback keys without an API key of LangSmith',
      { feedback_keys: ['a'] },
      'feedback_keys: not served here: LangSmith makes the addresses, and LANGSMITH_API_KEY is not set; got ["a"]',
    ],
    ['a LangSmith tracer', { langsmith_tracer: { project_name: 'p' } }, 'langsmith_tracer: not served here'],
    ['deletion of its existing thread on completion', { on_completion: 'delete' }, 'on_completion: not served here'],
    [
      'a reaction to a disconnect although no client waits',
      { on_disconnect: 'cancel' },
      'on_disconnect: not served here',
    ],
    [
      'both an input and a command',
      { input: { a: 1 }, command: { resume: 1 } },
      'input: a run takes an input or a command, not both',
    ],
    ['an unknown field in command', { command: { answer: 1 } }, 'command.answer: unknown field of the request body'],
    ['a checkpoint id that is not a GUID', { checkpoint_id: 'abc' }, 'checkpoint_id: Invalid GUID; got "abc"'],
    [
      'two different checkpoints',
      { checkpoint_id: CHECKPOINT, checkpoint: { checkpoint_id: '1ef00000-0000-6000-8000-000000000002' } },
      `checkpoint_id: ${CHECKPOINT} is not the checkpoint`,
    ],
    [
      'the id of another thread inside configurable',
      { config: { configurable: { thread_id: 'other' } } },
      'config.configurable.thread_id: "other" is not the thread of the run',
    ],
    [
      'keys that belong to LangGraph',
      { config: { configurable: { __pregel_resuming: true } } },
      'config.configurable.__pregel_resuming: keys that begin with __pregel_ belong to LangGraph',
    ],
    [
      'a database operator instead of a checkpoint id',
      { config: { configurable: { checkpoint_id: { $gt: '' } } } },
      'config.configurable.checkpoint_id: Invalid input: expected string, received object; got {"$gt":""}',
    ],
    [
      'a checkpoint id inside configurable that is not a GUID',
      { config: { configurable: { checkpoint_id: 'abc' } } },
      'config.configurable.checkpoint_id: Invalid GUID; got "abc"',
    ],
    [
      'a checkpoint namespace that is not a string',
      { config: { configurable: { checkpoint_ns: { $gt: '' } } } },
      'config.configurable.checkpoint_ns: Invalid input: expected string, received object',
    ],
    [
      'a checkpoint map whose value is not a string',
      { config: { configurable: { checkpoint_map: { '': { $gt: '' } } } } },
      'config.configurable.checkpoint_map.: Invalid input: expected string, received object',
    ],
    ['half of a surrogate pair in the name of a node', { interrupt_before: ['a\ud800'] }, 'half of a surrogate pair'],
    ['a recursion limit of 0', { config: { recursion_limit: 0 } }, 'config.recursion_limit: Too small'],
  ];

  it.each(RUN_FAULTS)('refuses a run with %s, and names the field and its value', async (_fault, body, message) => {
    const whole =
      'assistant_id' in body || message.startsWith('assistant_id') ? body : { assistant_id: 'echo', ...body };
    const response = await post(`/threads/${threadId}/runs`, JSON.stringify(whole));
    expect([response.status, await response.text()]).toEqual([422, expect.stringContaining(message)]);
    expect(response.headers.get('Content-Type')).toBe('text/plain; charset=utf-8');
  });

  it('names all invalid fields of a request in one answer', async () => {
    const response = await post(
      `/threads/${threadId}/runs`,
      JSON.stringify({ webhook: 1, after_seconds: 'x', foo: 1 }),
    );
    const text = await response.text();
    for (const field of ['assistant_id: ', 'webhook: ', 'after_seconds: ', 'foo: ']) expect(text).toContain(field);
  });

  it('accepts a run whose fields ask explicitly for the default behaviour', async () => {
    const body = {
      assistant_id: 'echo',
      input: null,
      command: null,
      checkpoint: null,
      stream_resumable: false,
      durability: 'exit',
      checkpoint_during: false,
      after_seconds: 0,
      feedback_keys: [],
      on_completion: 'keep',
      on_disconnect: 'continue',
      webhook: null,
      stream_mode: [],
    };
    const response = await post(`/threads/${threadId}/runs`, JSON.stringify(body));
    expect([response.status, (await response.text()).startsWith('{"run_id"')]).toEqual([200, true]);
  });

  it('reads JSON with the content type text/plain, which browsers send to avoid a preflight', async () => {
    const response = await fetch(`${url}/threads/search`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain;charset=UTF-8' },
      body: JSON.stringify({ ids: [threadId], select: ['thread_id'] }),
    });
    expect(await response.json()).toEqual([{ thread_id: threadId }]);
  });

  it('finds an assistant whose name is 500 dots: it searches for plain text, not for a regular expression', async () => {
    const name = '.'.repeat(500);
    const { assistant_id: id } = await api.client(url).assistants.create({ graphId: 'echo', name });
    const found = await api.client(url).assistants.search({ name });
    expect(found.map(({ assistant_id }) => assistant_id)).toEqual([id]);
  });

  it('names at most twenty invalid fields in one answer, and shortens long field names', async () => {
    const faults = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`field_${n}_${'x'.repeat(20)}`, 1]));
    const response = await post('/threads', JSON.stringify({ ['y'.repeat(300)]: 1, ...faults }));
    const text = await response.text();
    expect(text.split('; ')).toHaveLength(21);
    expect(text).toMatch(/^y{80}…: unknown field of the request body; field_0_.*; and more$/);
  });

  it('refuses a body that is not JSON, that is too large, or that is not an object', async () => {
    const broken = await post('/threads', '{"metadata": ');
    expect([broken.status, await broken.text()]).toEqual([
      400,
      expect.stringContaining('request body is not valid JSON'),
    ]);
    const large = await post('/threads', JSON.stringify({ metadata: { x: 'x'.repeat(3_000) } }));
    expect([large.status, await large.text()]).toEqual([413, 'request body is larger than the limit of 2000 bytes']);
    const list = await post('/threads', '[]');
    expect([list.status, await list.text()]).toEqual([422, expect.stringContaining('request body: ')]);
  });

  it('reads an empty body as an empty object', async () => {
    expect((await fetch(`${url}/threads`, { method: 'POST' })).status).toBe(200);
  });

  it.each([
    ['/threads/abc', 'thread_id: Invalid GUID; got "abc"'],
    ['/threads/abc/runs', 'thread_id: Invalid GUID; got "abc"'],
    [`/threads/${randomUUID()}/runs/1`, 'run_id: Invalid GUID; got "1"'],
    [`/threads/${randomUUID()}/state/1`, 'checkpoint_id: Invalid GUID; got "1"'],
    [`/threads/${randomUUID()}/runs?limit=0`, 'limit: Too small'],
    [`/threads/${randomUUID()}/runs?order=up`, 'order: unknown field of the query'],
    [`/threads/${randomUUID()}/runs?metadata={}`, 'metadata: not served here'],
    [`/threads/${randomUUID()}/history?before=x`, 'before: Invalid GUID; got "x"'],
    [`/threads/${randomUUID()}?include=runs`, 'include.0: Invalid input: expected "ttl"; got "runs"'],
    [`/threads/${randomUUID()}/state?select=value`, 'select.0: expected one of values, next'],
    [`/threads/${randomUUID()}/stream?stream_mode=values`, 'stream_mode.0: Invalid option'],
  ])('refuses GET %s and names the invalid part of the URL', async (path, message) => {
    const response = await fetch(`${url}${path}`);
    expect([response.status, await response.text()]).toEqual([422, expect.stringContaining(message)]);
  });

  it.each([
    ['/threads', { ttl: 0 }, 'ttl: Too small'],
    ['/threads', { ttl: { ttl: 1, strategy: 'archive' } }, 'Invalid option: expected one of "delete"|"keep_latest"'],
    ['/threads', { supersteps: [{ updates: [{ values: {} }] }] }, 'supersteps.0.updates.0.as_node: Invalid input'],
    [
      '/threads',
      { supersteps: [{ updates: [{ values: {}, command: { update: {} }, as_node: 'a' }] }] },
      'supersteps.0.updates.0: an update has values or a command, not both',
    ],
    ['/threads', { supersteps: [{ updates: [{ values: {}, as_node: 'a' }] }] }, 'set metadata.graph_id'],
    ['/threads/search', { select: ['name'] }, 'select.0: expected one of thread_id'],
    ['/threads/search', { extract: { a: 'messages[0]' } }, 'extract.a: expected a path like values.messages'],
    ['/threads/search', { extract: { values: 'values.a' } }, 'extract.values'],
    ['/threads/search', { sort_by: 'name' }, 'sort_by: Invalid option'],
    ['/threads/prune', { thread_ids: ['x'] }, 'thread_ids.0: Invalid GUID'],
    ['/threads/prune', { thread_ids: [], strategy: 'all' }, 'strategy: Invalid option'],
    [
      '/assistants',
      { graph_id: 'echo', config: { configurable: { __pregel_resuming: true } } },
      'config.configurable.__pregel_resuming: keys that begin with __pregel_ belong to LangGraph',
    ],
    [
      '/assistants',
      { graph_id: 'echo', config: { configurable: { checkpoint_id: { $gt: '' } } } },
      'config.configurable.checkpoint_id: Invalid input: expected string',
    ],
    ['/assistants', { graph_id: 'echo', name: 'x'.repeat(1_001) }, 'name: expected at most 1000 characters; got "xxx'],
    ['/assistants', { graph_id: 'echo', name: 'a\0b' }, 'name: has a NUL or half of a surrogate pair'],
    ['/assistants/search', { name: 'x'.repeat(501) }, 'name: expected at most 500 characters'],
    ['/assistants/search', { graph_id: { $gt: '' } }, 'graph_id: Invalid input: expected string, received object'],
    ['/threads/search', { limit: 1001 }, 'limit: Too big'],
    ['/threads/search', { status: 'asleep' }, 'status: Invalid option'],
    ['/assistants/search', { offset: -1 }, 'offset: Too small'],
    ['/runs', { assistant_id: 'echo', checkpoint_id: CHECKPOINT }, 'checkpoint_id: not served here'],
    ['/runs', { assistant_id: 'echo', if_not_exists: 'reject' }, 'if_not_exists: not served here'],
  ])('refuses POST %s with %j and names the invalid field', async (path, body, message) => {
    const response = await post(path, JSON.stringify(body));
    expect([response.status, await response.text()]).toEqual([422, expect.stringContaining(message)]);
  });

  it('refuses an invalid idempotency key', async () => {
    const response = await fetch(`${url}/threads/${threadId}/runs`, {
      method: 'POST',
      headers: { 'Idempotency-Key': 'x'.repeat(256) },
      body: JSON.stringify({ assistant_id: 'echo' }),
    });
    expect([response.status, await response.text()]).toEqual([422, expect.stringContaining('Idempotency-Key: ')]);
  });

  it('allows calls from all origins by default', async () => {
    const preflight = await fetch(`${url}/threads`, {
      method: 'OPTIONS',
      headers: { Origin: 'https://ui.example', 'Access-Control-Request-Headers': 'content-type,x-api-key' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(preflight.headers.get('Access-Control-Allow-Headers')).toBe('content-type,x-api-key');
    expect(preflight.headers.get('Access-Control-Allow-Methods')).toContain('DELETE');
  });

  it('allows calls only from the configured origins if any are configured', async () => {
    const strict = await api.listen({ corsOrigins: ['https://ui.example'] });
    const from = async (origin: string) =>
      (await fetch(`${strict}/ok`, { headers: { Origin: origin } })).headers.get('Access-Control-Allow-Origin');
    expect([await from('https://ui.example'), await from('https://evil.example')]).toEqual([
      'https://ui.example',
      null,
    ]);
  });

  function post(path: string, body: string): Promise<Response> {
    return fetch(`${url}${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  }
});
