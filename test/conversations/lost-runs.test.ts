import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, type Run } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient, type WorkflowHandle } from '@temporalio/client';
import { loadConfig } from '../../config/index.js';
import { completeConversations, createConversations, type ConversationContext } from '../../conversations/index.js';
import { endLostRuns } from '../../conversations/lost-runs.js';
import { DEFAULT_TENANT, conversationId, serviceCaller, type Fence } from '../../protocol/index.js';
import { openStores, type Stores } from '../../workers/stores.js';
import { DEFAULT_SETTINGS } from '../../workflows/contract.js';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { Receiver } from '../support/receiver.js';

/** Temporal's number for `RESET_REAPPLY_EXCLUDE_TYPE_UPDATE`. */
const WITHOUT_UPDATES = 2;
/** The event `WorkflowTaskCompleted` of the first workflow task. */
const FIRST_TASK = 4;
const NAMESPACE = 'default';

const folder = mkdtempSync(join(tmpdir(), 'lost-runs-'));
const project = resolve('test/fixtures/projects/steered/langgraph.json');
const house = new ServiceProcesses(project, { STEERED_FOLDER: folder, COLLOQUY_EGRESS_ALLOW: '127.0.0.1' });

let worker: ServiceProcess;
let client: Client;
let connection: Connection;
let stores: Stores;
let conversations: ConversationContext;

beforeAll(async () => {
  const [first, api] = await Promise.all([house.worker(), house.api()]);
  worker = first;
  client = new Client({ apiUrl: api.url, apiKey: null });
  connection = await Connection.connect({ address: house.temporalAddress });
  const config = loadConfig({ MONGODB_URI: house.mongodbUri, MONGODB_DATABASE: house.name });
  stores = await openStores(config);
  const temporal = new TemporalClient({ connection });
  conversations = completeConversations({
    ...stores,
    states: {} as never,
    graphs: {} as never,
    schedules: {} as never,
    conversations: createConversations({
      client: temporal,
      taskQueue: house.name,
      timeoutMs: 1_000,
      settings: DEFAULT_SETTINGS,
    }),
  });
}, 60_000);
afterAll(async () => {
  await house.stop();
  await stores.close();
  await connection.close();
  rmSync(folder, { recursive: true });
});

const INPUT = { messages: [{ role: 'user', content: 'go' }] };

/** A thread, and the files by which a test follows and releases the nodes of its graph. */
class Conversation {
  readonly threadId = randomUUID();

  get workflow(): WorkflowHandle {
    return new TemporalClient({ connection }).workflow.getHandle(conversationId(DEFAULT_TENANT, this.threadId));
  }

  start(assistant: string, options: { webhook?: string } = {}): Promise<Run> {
    return client.runs.create(this.threadId, assistant, { input: INPUT, ifNotExists: 'create', ...options });
  }

  /** Starts a run, and waits until it works in the node. */
  async working(assistant: string, node: string, options: { webhook?: string } = {}): Promise<Run> {
    const run = await this.start(assistant, options);
    await this.begun(node);
    return run;
  }

  async begun(node: string): Promise<void> {
    const path = join(folder, `${this.threadId}.${node}.begun`);
    await new Promise<void>((done) => {
      const check = () => {
        if (!existsSync(path)) return;
        watcher.close();
        done();
      };
      const watcher = watch(folder, check);
      check();
    });
  }

  open(node: string): void {
    writeFileSync(join(folder, `${this.threadId}.${node}.open`), '');
  }

  async messages(): Promise<unknown[]> {
    const { values } = await client.threads.getState<{ messages?: { content: unknown }[] }>(this.threadId);
    return (values.messages ?? []).map(({ content }) => content);
  }

  async record(run: Run): Promise<Run & { error?: { error: string; message: string } | null }> {
    return client.runs.get(this.threadId, run.run_id);
  }

  async status(): Promise<string> {
    return (await client.threads.get(this.threadId)).status;
  }

  /** Resets the workflow to its first workflow task. Updates after it are applied again, unless excluded. */
  async reset(excluded: number[] = []): Promise<void> {
    await connection.workflowService.resetWorkflowExecution({
      namespace: NAMESPACE,
      workflowExecution: { workflowId: this.workflow.workflowId },
      workflowTaskFinishEventId: FIRST_TASK as never,
      requestId: randomUUID(),
      reason: 'a test',
      resetReapplyExcludeTypes: excluded,
    });
  }
}

const lostError = (text: string) => ({
  error: 'conversation_lost',
  message: expect.stringContaining(text) as unknown as string,
});

describe('a run whose workflow was ended from outside', () => {
  it('ends with the waiting runs of its thread: streams, joins, record, thread and webhook say so', async () => {
    const receiver = await Receiver.start();
    const talk = new Conversation();
    talk.open('one');
    const running = await talk.working('relay', 'two', { webhook: `${receiver.url}/hook` });
    const waiting = await talk.start('relay');
    const events: { event: string; data: unknown }[] = [];
    const streamed = (async () => {
      for await (const event of client.runs.joinStream(talk.threadId, running.run_id)) events.push(event);
    })();
    const joined = client.runs.join(talk.threadId, waiting.run_id).catch((error: unknown) => error);
    await talk.workflow.terminate('the operator cleans up');
    await Promise.all([streamed, joined]);

    for (const run of [running, waiting]) {
      const record = await talk.record(run);
      expect(record).toMatchObject({
        status: 'error',
        error: lostError(
          `run ${run.run_id} of thread ${talk.threadId} is lost, because the workflow of the thread was terminated (the operator cleans up)`,
        ),
      });
    }
    expect(events.at(-1)).toMatchObject({ event: 'error', data: lostError('terminated') });
    expect(await talk.status()).toBe('error');
    const { body } = await receiver.waitFor(1);
    expect(JSON.parse(body)).toMatchObject({
      run_id: running.run_id,
      status: 'error',
      error: expect.stringContaining('is lost'),
      values: { messages: [{ content: 'go' }, { content: 'one: go' }] },
    });
    await receiver.close();

    const document = await stores.db.collection<{ fence: Fence }>('runs').findOne({ runId: running.run_id });
    const old = document?.fence as Fence;
    const sweeper = serviceCaller(DEFAULT_TENANT, 'sweeper');
    await expect(stores.heads.raiseFence(sweeper, talk.threadId, old)).rejects.toMatchObject({ code: 'fence_lost' });

    expect(await talk.messages()).toEqual(['go', 'one: go']);
    talk.open('two');
    await client.runs.wait(talk.threadId, 'relay', { input: INPUT });
    expect(await talk.messages()).toEqual(['go', 'one: go', 'go', 'one: go, go', 'two: go, go', 'three: go, go']);
    expect(await talk.status()).toBe('idle');
    expect((await talk.record(waiting)).status).toBe('error');
  });

  it('ends when a client cancels it, also if the workflow was deleted', async () => {
    const [terminated, deleted] = [new Conversation(), new Conversation()];
    const all = [terminated, deleted];
    const runs = await Promise.all(all.map((talk) => talk.working('single', 'only')));
    const [first, second] = runs as [Run, Run];
    await terminated.workflow.terminate();
    const { workflowId } = deleted.workflow;
    await connection.workflowService.deleteWorkflowExecution({
      namespace: NAMESPACE,
      workflowExecution: { workflowId },
    });
    await expect(deleted.workflow.result()).rejects.toThrow();
    await Promise.all(runs.map((run) => client.runs.cancel(run.thread_id, run.run_id, true)));
    expect(await terminated.record(first)).toMatchObject({ status: 'error', error: lostError('was terminated') });
    expect(await deleted.record(second)).toMatchObject({ status: 'error', error: lostError('is lost') });
    expect(await Promise.all(all.map((talk) => talk.status()))).toEqual(['error', 'error']);
    for (const talk of all) await client.threads.delete(talk.threadId);
  });

  it('ends when the next run starts the conversation anew, and does not change how that run ends', async () => {
    const talk = new Conversation();
    const lost = await talk.working('relay', 'one');
    await talk.workflow.terminate();
    talk.open('only');
    await client.runs.wait(talk.threadId, 'single', { input: INPUT });
    await client.runs.join(talk.threadId, lost.run_id).catch(() => undefined);
    expect(await talk.record(lost)).toMatchObject({ status: 'error', error: lostError('was started again') });
    expect(await talk.status()).toBe('idle');
  });

  it('goes on if a reset applies its update again, and ends if the reset leaves it out', async () => {
    const [kept, dropped] = [new Conversation(), new Conversation()];
    const pairs = await Promise.all(
      [kept, dropped].map(async (talk) => {
        talk.open('only');
        const ended = await talk.start('single');
        await client.runs.join(talk.threadId, ended.run_id);
        return { ended, running: await talk.working('relay', 'one') };
      }),
    );
    await Promise.all([kept.reset(), dropped.reset([WITHOUT_UPDATES])]);

    await client.runs.cancel(dropped.threadId, pairs[1]?.running.run_id ?? '', true);
    expect(await dropped.record(pairs[1]?.running as Run)).toMatchObject({
      status: 'error',
      error: lostError('reset to an earlier point'),
    });
    expect((await dropped.record(pairs[1]?.ended as Run)).status).toBe('success');
    expect(await dropped.status()).toBe('error');

    expect(await endLostRuns(conversations, DEFAULT_TENANT, kept.threadId)).toEqual([]);
    for (const node of ['one', 'two']) kept.open(node);
    await client.runs.join(kept.threadId, pairs[0]?.running.run_id ?? '');
    expect((await kept.record(pairs[0]?.running as Run)).status).toBe('success');
    expect((await kept.record(pairs[0]?.ended as Run)).status).toBe('success');
    expect(await kept.status()).toBe('idle');
  });
});

describe('a run of an open conversation', () => {
  it('is not ended while no worker answers', async () => {
    const talk = new Conversation();
    const run = await talk.working('single', 'only');
    const { pid } = worker;
    process.kill(pid, 'SIGSTOP');
    try {
      const search = endLostRuns(conversations, DEFAULT_TENANT, talk.threadId);
      await expect(search).rejects.toMatchObject({ code: 'unavailable' });
      expect((await talk.record(run)).status).toBe('running');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    talk.open('only');
    await client.runs.join(talk.threadId, run.run_id);
    expect((await talk.record(run)).status).toBe('success');
  });
});
