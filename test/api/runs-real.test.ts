import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client, type Run } from '@langchain/langgraph-sdk';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';

interface Part {
  event: string;
  data: unknown;
}

describe('runs on real servers', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/calculator/langgraph.json'));
  let worker: ServiceProcess;
  let url: string;
  let client: Client;

  beforeAll(async () => {
    const [first, api] = await Promise.all([house.worker(), house.api()]);
    worker = first;
    url = api.url;
    client = new Client({ apiUrl: url, apiKey: null });
  }, 60_000);
  afterAll(() => house.stop());

  async function newThread(): Promise<string> {
    return (await client.threads.create()).thread_id;
  }

  /** Starts an endless run on a new thread. Returns the run after its first node has ended. */
  async function working(): Promise<Run> {
    return untilWorking(await client.runs.create(await newThread(), 'gate', { input: { log: [] } }));
  }

  async function untilWorking(run: Run): Promise<Run> {
    for await (const { event, data } of client.runs.joinStream(run.thread_id, run.run_id)) {
      if (event === 'values' && (data as { log: string[] }).log.at(-1) === 'begun') return run;
    }
    throw new Error(`run ${run.run_id} ended before it was active`);
  }

  const sum = (text: string) => ({ input: { log: [text] } });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body), headers });

  describe('runs from a checkpoint', () => {
    const headOf = async (threadId: string) =>
      (await client.threads.getState(threadId)).checkpoint.checkpoint_id as string;

    it('are refused (404) and change nothing, whichever field of the request names a checkpoint of another thread', async () => {
      const [mine, theirs] = [await newThread(), await newThread()];
      for (const threadId of [mine, theirs]) await client.runs.wait(threadId, 'calculator', sum('1+1'));
      const [head, foreign] = [await headOf(mine), await headOf(theirs)];
      const missing = `Checkpoint not found: thread ${mine} has no checkpoint ${foreign}`;
      const run = { assistant_id: 'calculator', ...sum('2+2') };
      const requests: [path: string, body: object, message?: string][] = [
        ['runs', { ...run, checkpoint_id: foreign }],
        ['runs/wait', { ...run, checkpoint: { checkpoint_id: foreign, checkpoint_ns: '' } }],
        ['runs/stream', { ...run, config: { configurable: { checkpoint_id: foreign } } }],
        ['runs', { ...run, checkpoint: { checkpoint_id: head, checkpoint_ns: 'child:1' } }, 'in namespace "child:1"'],
        ['runs/crons', { ...run, schedule: '0 0 1 1 *', config: { configurable: { checkpoint_id: foreign } } }],
        ['state', { values: { log: ['x'] }, checkpoint_id: foreign }],
        ['state', { values: { log: ['x'] }, checkpoint: { checkpoint_id: foreign } }],
      ];
      for (const [path, body, message = missing] of requests) {
        const response = await post(`/threads/${mine}/${path}`, body);
        expect([path, response.status, await response.text()]).toEqual([path, 404, expect.stringContaining(message)]);
      }
      for (const [method, params] of [
        ['run.start', { ...run, config: { configurable: { checkpoint_id: foreign } } }],
        ['state.fork', { checkpoint_id: foreign }],
      ] as const) {
        const response = await post(`/threads/${mine}/commands`, { id: 1, method, params });
        expect(await response.json()).toMatchObject({ error: 'no_such_checkpoint', message: missing });
      }
      const unknown = randomUUID();
      const created = await post(`/threads/${unknown}/runs`, {
        ...run,
        if_not_exists: 'create',
        checkpoint_id: foreign,
      });
      expect([created.status, (await fetch(`${url}/threads/${unknown}`)).status]).toEqual([404, 404]);
      expect(await client.runs.list(mine)).toHaveLength(1);
      expect(await headOf(mine)).toBe(head);
    });

    it('start from the checkpoint if it is of their own thread', async () => {
      const threadId = await newThread();
      await client.runs.wait(threadId, 'calculator', sum('1+1'));
      const head = await headOf(threadId);
      await client.runs.wait(threadId, 'calculator', sum('2+2'));
      const config = { configurable: { checkpoint_id: head, checkpoint_ns: '', checkpoint_map: {} } };
      const forked = await client.runs.wait(threadId, 'calculator', { ...sum('3+3'), config });
      expect(forked).toEqual({ log: ['1+1', '2', '3+3', '6'] });
      const newest = await client.runs.wait(threadId, 'calculator', {
        ...sum('4+4'),
        config: { configurable: { checkpoint_id: '' } },
      });
      expect(newest).toEqual({ log: ['1+1', '2', '3+3', '6', '4+4', '8'] });
    });
  });

  describe('delayed runs', () => {
    it('are pending until their delay is over, and other runs start before them', async () => {
      const threadId = await newThread();
      const delayed = await client.runs.create(threadId, 'calculator', { ...sum('1+1'), afterSeconds: 3_600 });
      expect(delayed).toMatchObject({ status: 'pending', kwargs: { after_seconds: 3_600 } });
      expect(await client.runs.list(threadId, { status: 'pending' })).toMatchObject([{ run_id: delayed.run_id }]);
      expect(await client.runs.wait(threadId, 'calculator', sum('2+2'))).toEqual({ log: ['2+2', '4'] });
      expect((await client.runs.get(threadId, delayed.run_id)).status).toBe('pending');
    });

    it('begin when their delay is over', async () => {
      const threadId = await newThread();
      const { run_id } = await client.runs.create(threadId, 'calculator', { ...sum('1+1'), afterSeconds: 2 });
      expect(await client.runs.join(threadId, run_id)).toEqual({ log: ['1+1', '2'] });
      const { created_at, updated_at } = await client.runs.get(threadId, run_id);
      expect(Date.parse(updated_at) - Date.parse(created_at)).toBeGreaterThanOrEqual(2_000);
    });

    it('are streamed on a thread and as stateless runs, even if the worker is killed before the delay is over', async () => {
      const next = await house.worker();
      const follow = (threadId: string | null, text: string) => {
        let parts: Promise<Part[]> | undefined;
        const accepted = new Promise<void>((onRunCreated) => {
          const options = { ...sum(text), afterSeconds: 3, onRunCreated: () => onRunCreated() };
          parts = collect(client.runs.stream(threadId as string, 'calculator', options));
        });
        return { accepted, last: async () => (await parts)?.at(-1) };
      };
      const [one, other] = [follow(await newThread(), '3+4'), follow(null, '1+2')];
      await Promise.all([one.accepted, other.accepted]);
      await worker.kill('SIGKILL');
      worker = next;
      expect(await one.last()).toMatchObject({ event: 'values', data: { log: ['3+4', '7'] } });
      expect(await other.last()).toMatchObject({ event: 'values', data: { log: ['1+2', '3'] } });
    }, 90_000);

    it('can be cancelled before their delay is over', async () => {
      const threadId = await newThread();
      const { run_id } = await client.runs.create(threadId, 'calculator', { ...sum('1+1'), afterSeconds: 3_600 });
      // Does not set the parameter `wait` of the cancel route. If a run has not started yet, the
      // route waits for a short time for the end of the run anyway.
      await client.runs.cancel(threadId, run_id);
      expect(await client.runs.list(threadId, { status: 'interrupted' })).toMatchObject([{ run_id }]);
      expect((await client.threads.get(threadId)).status).toBe('idle');
    });
  });

  describe('the runs of one batch request', () => {
    it('are all created, also with the field names in camel case that the SDK sends', async () => {
      const runs = (await client.runs.createBatch([
        { assistantId: 'calculator', ...sum('1+1'), onCompletion: 'keep' as never, streamMode: 'values' },
        { assistantId: 'calculator', ...sum('2+2'), afterSeconds: 1, multitaskStrategy: 'enqueue' },
      ])) as unknown as Run[];
      expect(runs).toMatchObject([{ status: 'pending' }, { kwargs: { after_seconds: 1 } }]);
      const values = await Promise.all(runs.map((run) => client.runs.join(run.thread_id, run.run_id)));
      expect(values).toEqual([{ log: ['1+1', '2'] }, { log: ['2+2', '4'] }]);
    });

    it('are not created again if the batch is repeated with its idempotency key', async () => {
      const batch = ['1+1', '2+2'].map((text) => ({ assistant_id: 'calculator', ...sum(text) }));
      const key = { 'Idempotency-Key': randomUUID() };
      const [first, second] = [await post('/runs/batch', batch, key), await post('/runs/batch', batch, key)];
      const ids = async (response: Response) => ((await response.json()) as Run[]).map((run) => run.run_id);
      const made = await ids(first);
      expect(await ids(second)).toEqual(made);
      expect(new Set(made).size).toBe(2);
    });

    it.each([
      ['an empty list', [], '422 request body: Too small'],
      ['a body that is not a list', {}, '422 request body: Invalid input: expected array'],
      ['an unknown field', [{ assistant_id: 'calculator', maxSteps: 1 }], '422 0.maxSteps: unknown field'],
      ['an unknown assistant', [{ assistant_id: 'calculator' }, { assistant_id: 'nobody' }], '404 Assistant not found'],
      ['an invalid webhook', [{ assistant_id: 'calculator', webhook: 'x' }], '422 webhook: "x" is no http'],
    ])('are all refused if the request has %s', async (_what, body, answer) => {
      const response = await post('/runs/batch', body);
      expect(`${response.status} ${await response.text()}`).toContain(answer);
    });
  });

  describe('the cancellation of runs', () => {
    it('interrupts the runs with the given ids, also those that are still queued', async () => {
      const run = await working();
      const { thread_id: threadId } = run;
      const waiting = await client.runs.create(threadId, 'calculator', sum('1+1'));
      const left = await client.runs.create(threadId, 'calculator', sum('2+2'));
      await client.runs.cancelMany({ threadId, runIds: [run.run_id, waiting.run_id] });
      expect(await client.runs.join(threadId, left.run_id)).toEqual({ log: ['begun', '2+2', '4'] });
      const statuses = await Promise.all([run, waiting].map(({ run_id }) => client.runs.get(threadId, run_id)));
      expect(statuses.map(({ status }) => status)).toEqual(['interrupted', 'interrupted']);
      await client.runs.cancelMany({ threadId, runIds: [run.run_id] });
    });

    it('interrupts or rolls back all runs with the given status, in one thread or in all threads', async () => {
      const [one, other] = [await working(), await working()];
      const waiting = await client.runs.create(one.thread_id, 'calculator', sum('1+1'));
      await client.runs.cancelMany({ threadId: one.thread_id, status: 'pending' });
      await post('/runs/cancel?action=rollback', { status: 'running' });
      await Promise.all([one, other].map((run) => client.runs.join(run.thread_id, run.run_id).catch(() => undefined)));
      for (const run of [one, other]) {
        await expect(client.runs.get(run.thread_id, run.run_id)).rejects.toThrow('HTTP 404');
        expect((await client.threads.getState(run.thread_id)).values).toEqual({});
      }
      await client.runs.join(one.thread_id, waiting.run_id);
      expect((await client.runs.get(one.thread_id, waiting.run_id)).status).toBe('interrupted');
    });

    it('with action interrupt, stores the reason `taken` (another run got the input); with rollback, `taken` is refused', async () => {
      const run = await working();
      await client.runs.cancel(run.thread_id, run.run_id, true, 'interrupt', { reason: 'taken' });
      expect(await client.runs.get(run.thread_id, run.run_id)).toMatchObject({
        status: 'interrupted',
        cancel_reason: expect.stringMatching(/^taken:/),
      });
      const refused = await post(
        `/threads/${run.thread_id}/runs/${run.run_id}/cancel?action=rollback&reason=taken`,
        {},
      );
      expect(`${refused.status} ${await refused.text()}`).toContain(
        '422 reason: is only allowed with action interrupt',
      );
    });

    it.each([
      ['neither run ids nor a status', {}, '422 request body: expected either run_ids with a thread_id, or a status'],
      [
        'run ids but no thread id',
        { run_ids: [randomUUID()] },
        '422 thread_id: expected the thread of the runs in run_ids',
      ],
      ['an unknown status', { status: 'success' }, '422 status: Invalid option'],
      ['an unknown thread', { thread_id: randomUUID(), status: 'all' }, '404 Thread with ID'],
      ['an unknown run', { thread_id: randomUUID(), run_ids: [randomUUID()] }, '404 Run not found'],
    ])('is refused if the request has %s', async (_what, body, answer) => {
      const response = await post('/runs/cancel', body);
      expect(`${response.status} ${await response.text()}`).toContain(answer);
    });
  });

  describe('runs that compete with another run of their thread', () => {
    const entries = {
      create: (threadId: string, options: object) =>
        client.runs
          .create(threadId, 'calculator', { ...sum('1+1'), ...options })
          .then((run) => client.runs.join(threadId, run.run_id)),
      wait: (threadId: string, options: object) =>
        client.runs.wait(threadId, 'calculator', { ...sum('1+1'), ...options }),
      stream: async (threadId: string, options: object) =>
        (await collect(client.runs.stream(threadId, 'calculator', { ...sum('1+1'), ...options }))).at(-1)?.data,
    };

    it.each(Object.entries(entries))(
      'follow their multitask strategy (reject, interrupt or rollback): route %s',
      async (_entry, enter) => {
        const first = await working();
        const { thread_id: threadId } = first;
        await expect(enter(threadId, { multitaskStrategy: 'reject' })).rejects.toThrow('409');
        expect(await enter(threadId, { multitaskStrategy: 'interrupt' })).toEqual({ log: ['begun', '1+1', '2'] });
        expect((await client.runs.get(threadId, first.run_id)).status).toBe('interrupted');
        const second = await untilWorking(await client.runs.create(threadId, 'gate', { input: { log: ['lost'] } }));
        expect(await enter(threadId, { multitaskStrategy: 'rollback' })).toEqual({
          log: ['begun', '1+1', '2', '1+1', '2'],
        });
        await expect(client.runs.get(threadId, second.run_id)).rejects.toThrow('HTTP 404');
      },
    );

    it.each(Object.entries(entries))(
      'get one success and one error if two of them answer the same interrupt at the same time: route %s',
      async (_entry, enter) => {
        const threadId = await newThread();
        await client.runs.wait(threadId, 'calculator', sum('well?'));
        const answers = await Promise.allSettled(
          ['yes', 'no'].map((resume) => enter(threadId, { input: undefined, command: { resume } })),
        );
        expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        const { log } = (await client.threads.getState(threadId)).values as { log: string[] };
        expect(log).toHaveLength(2);
        expect(log[1]).toMatch(/^told (yes|no)$/);
      },
    );
  });

  it('have their state saved after each step, whichever durability the client requests', async () => {
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'gate', { input: { log: [] }, durability: 'exit' });
    await untilWorking(run);
    expect((await client.threads.getState(threadId)).next).toEqual(['wait']);
    await client.runs.cancel(threadId, run.run_id, true);
    expect(await client.runs.wait(threadId, 'calculator', { ...sum('1+1'), checkpointDuring: false })).toEqual({
      log: ['begun', '1+1', '2'],
    });
  });

  it('stream the events of tools', async () => {
    const parts = await collect(
      client.runs.stream(await newThread(), 'calculator', { ...sum('1+2'), streamMode: ['tools'] as never }),
    );
    expect(parts.map(({ event, data }) => [event, (data as { event?: string }).event])).toEqual([
      ['metadata', undefined],
      ['tools', 'on_tool_start'],
      ['tools', 'on_tool_event'],
      ['tools', 'on_tool_end'],
    ]);
    expect(parts.slice(1).map(({ data }) => data)).toMatchObject([
      { toolCallId: 'call-1', name: 'add' },
      { data: '1 and 2' },
      { output: { content: '3', type: 'tool' } },
    ]);
  });
});

async function collect(stream: AsyncIterable<{ event: string; data: unknown }>): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const { event, data } of stream) parts.push({ event, data });
  return parts;
}
