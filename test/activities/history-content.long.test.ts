import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { conversationId, cronScheduleId, webhookId } from '../../protocol/index.js';
import { CRON_WORKFLOW, QUERIES, type CronOutcome, type PendingInterrupt } from '../../workflows/contract.js';
import { currentDetails, textInTemporal } from '../support/history-text.js';
import { ServiceProcesses } from '../support/house.js';
import { Receiver } from '../support/receiver.js';

const PROJECT = resolve('test/fixtures/projects/confidential/langgraph.json');

interface Outcome {
  outcome: { answer: unknown; told: string };
}

/** Returns a unique string, which a test can search for in everything that Temporal stores. */
const canary = (what: string) => `${what} ${randomUUID().slice(0, 8)} canary`;

/**
 * Returns unique texts for one run. `matter` is the input of the run: the graph asks `question`,
 * and shows `draft` together with the question. If nobody answers within `seconds`, the graph gets
 * the default answer `fallback`. `told` is `draft` in reverse. Only the output of the graph
 * contains `told`.
 */
function newMatter(seconds: number) {
  const draft = canary('draft');
  const matter = { question: canary('question'), draft, fallback: { say: canary('fallback') }, seconds };
  return { matter, told: [...draft].reverse().join('') };
}

/** Returns all strings in a value. */
function canariesIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(canariesIn) : [];
}

describe.each([
  { title: 'by default', settings: '', shown: false },
  { title: 'with workers that show questions', settings: 'true', shown: true },
])('a conversation ($title)', ({ settings, shown }) => {
  const house = new ServiceProcesses(PROJECT, {
    COLLOQUY_SHOW_QUESTIONS: settings,
    COLLOQUY_EGRESS_ALLOW: '127.0.0.1',
  });
  let client: Client;
  let connection: Connection;
  let temporal: TemporalClient;
  let receiver: Receiver;

  beforeAll(async () => {
    receiver = await Receiver.start();
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
    connection = await Connection.connect({ address: house.temporalAddress });
    temporal = new TemporalClient({ connection });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await connection.close();
    await receiver.close();
  });

  /**
   * Returns the open questions of the conversation's workflow. Polls, because the workflow gets
   * them shortly after the run's last event.
   */
  async function asked(threadId: string): Promise<PendingInterrupt[]> {
    const handle = temporal.workflow.getHandle(conversationId('default', threadId));
    for (;;) {
      const open = await handle.query<PendingInterrupt[]>(QUERIES.pendingInterrupts);
      if (open.length > 0) return open;
    }
  }

  /**
   * Waits for the second run of the thread. It starts at the deadline of the question and gives the
   * default answer. Returns the output of this run.
   */
  async function answeredByItself(threadId: string): Promise<Outcome> {
    for (;;) {
      const [run, ...others] = await client.runs.list(threadId);
      if (run !== undefined && others.length > 0) return (await client.runs.join(threadId, run.run_id)) as never;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  const everything = (threadId: string) =>
    textInTemporal(temporal, conversationId('default', threadId), Object.values(QUERIES));

  it.each(['direct', 'nested'])(
    'puts the text of a question and its default answer into Temporal only if workers show questions (graph %s)',
    async (graph) => {
      const threadId = randomUUID();
      const { matter, told } = newMatter(3);
      const [metadata, context] = [{ note: canary('metadata') }, { note: canary('context') }];
      const run = { input: { matter }, metadata, context, config: { tags: [canary('tag')] } };
      const webhook = `${receiver.url}/${threadId}?canary=${randomUUID()}`;
      const waiting = await client.runs.wait(threadId, graph, { ...run, webhook, ifNotExists: 'create' });
      const value = { question: matter.question, draft: matter.draft };
      expect(waiting).toMatchObject({ __interrupt__: [{ value }] });

      const [question] = await asked(threadId);
      const fields = ['id', 'node', 'deadline', ...(shown ? ['preview', 'defaultAnswer'] : [])];
      expect(Object.keys(question ?? {}).sort()).toEqual(fields.sort());
      const details = await currentDetails(temporal, conversationId('default', threadId));
      if (shown) {
        expect(details).toContain(`Node \`${question?.node}\` asks: ${matter.question}`);
        expect(details).toContain(matter.draft);
        expect(details).toContain(`At ${question?.deadline} the answer is \`${JSON.stringify(matter.fallback)}\``);
      } else {
        const read = `\`GET /threads/${threadId}\` of the API shows it in \`interrupts\`.`;
        expect(details).toContain(`Node \`${question?.node}\` asks question \`${question?.id}\`. ${read}`);
        expect(details).toContain(`At ${question?.deadline} it gets its default answer.`);
      }
      const thread = await client.threads.get(threadId);
      expect(Object.values(thread.interrupts).flat()).toMatchObject([{ id: question?.id, value }]);

      const values = await answeredByItself(threadId);
      expect(values).toMatchObject({ outcome: { answer: matter.fallback, told } });
      const delivered = JSON.parse((await receiver.waitFor(1, ({ path }) => path.includes(threadId))).body) as object;
      expect(delivered).toMatchObject({ values: { matter }, kwargs: expect.anything() as unknown });

      const text = await everything(threadId);
      const [first] = (await client.runs.list(threadId)).slice(-1);
      const delivery = await textInTemporal(temporal, webhookId('default', first?.run_id ?? ''));
      const never = [...canariesIn([metadata, context, run.config]), webhook, told];
      const asking = canariesIn(matter);
      expect([...never, ...asking].filter((one) => delivery.includes(one))).toEqual([]);
      expect(never.filter((one) => text.includes(one))).toEqual([]);
      expect(asking.filter((one) => text.includes(one))).toEqual(shown ? asking : []);
    },
  );

  it('puts neither the answers that clients send to the API nor the input of a cron into workflow histories', async () => {
    const threadId = randomUUID();
    const { matter, told } = newMatter(3_600);
    const { fallback: _unnamed, ...without } = matter;
    const answer = canary('answer');
    await client.runs.wait(threadId, 'direct', { input: { matter: without }, ifNotExists: 'create' });
    const values = await client.runs.wait(threadId, 'direct', { command: { resume: { answer } } });
    expect(values).toMatchObject({ outcome: { answer: { answer }, told } });
    const text = await everything(threadId);
    expect([answer, told].filter((one) => text.includes(one))).toEqual([]);

    const cron = await client.crons.create('direct', {
      schedule: '0 9 1 1 *',
      input: { matter },
      onRunCompleted: 'keep',
    });
    const workflowId = `${cronScheduleId('default', cron.cron_id)}-${randomUUID()}`;
    const fired = await temporal.workflow.execute<() => Promise<CronOutcome>>(CRON_WORKFLOW, {
      workflowId,
      taskQueue: house.name,
      args: [{ tenant: 'default', cronId: cron.cron_id }] as never,
    });
    const { raw } = await temporal.schedule.getHandle(cronScheduleId('default', cron.cron_id)).describe();
    await client.crons.delete(cron.cron_id);
    const texts = [JSON.stringify(raw), await textInTemporal(temporal, workflowId)];
    expect(fired).toMatchObject({ status: 'interrupted' });
    expect(canariesIn(matter).filter((one) => texts.join().includes(one))).toEqual([]);
  });

  it('resumes with the answer null at the deadline of a question that has no default answer', async () => {
    const threadId = randomUUID();
    const { fallback: _unnamed, ...matter } = newMatter(1).matter;
    await client.runs.wait(threadId, 'direct', { input: { matter }, ifNotExists: 'create' });
    expect(await answeredByItself(threadId)).toMatchObject({ outcome: { answer: null } });
  });
});
